class PICAM2DNG:
    """Imported by picamera2, and never used."""
