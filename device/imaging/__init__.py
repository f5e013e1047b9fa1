"""Pure functions on arrays: field of view, quality, the model's tensor, the overlay."""
