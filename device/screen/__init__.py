"""What the clinician sees and touches."""
