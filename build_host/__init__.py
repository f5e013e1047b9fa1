"""What runs on the build host: from images to a signed model bundle."""
