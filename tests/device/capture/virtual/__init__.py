"""Real picamera2 on libcamera's virtual pipeline: a Debian 13 root, and a camera made of files."""
