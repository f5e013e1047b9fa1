"""The very image, started in an emulated machine."""
