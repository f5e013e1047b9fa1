"""Installing a model on a device, trying it for some minutes, and taking it back where it fails."""
