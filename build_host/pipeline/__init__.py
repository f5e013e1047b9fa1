"""The stages of a model's way, from images to a signed bundle."""
