"""The bundle: manifest, card, signature."""
