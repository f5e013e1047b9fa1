"""The pages of the screen, one to a module."""
