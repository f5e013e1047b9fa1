"""Stands in for the writer that picamera2 imports."""


class PICAM2DNG:
    """Imported by picamera2, and never used."""
