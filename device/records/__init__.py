"""What is kept of an examination."""
