"""What was measured, for people: the model card, tables, plots."""
