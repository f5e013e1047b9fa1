"""What runs beside the screen: the camera's and the analysis's threads, and what they pass on."""
