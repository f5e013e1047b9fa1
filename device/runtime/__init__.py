"""The threads beside the screen, camera, analysis and recorder: what they do and pass on."""
