"""Sources of frames: cameras, network streams, files and a demonstration without a camera."""
