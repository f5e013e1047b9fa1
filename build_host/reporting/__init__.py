"""What was measured, for people: the model card, console tables, plots, example sheets."""
