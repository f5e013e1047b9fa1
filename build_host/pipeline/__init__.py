"""The stages from images to a signed bundle, and the runs that they work on."""
