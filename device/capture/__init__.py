"""Sources of frames: image files, folders, video, and a demonstration that needs no camera."""
