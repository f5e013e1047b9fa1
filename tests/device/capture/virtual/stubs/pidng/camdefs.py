class Picamera2Camera:
    """Imported by picamera2, and never used."""
