"""The bundle: its manifest, and its signature."""
