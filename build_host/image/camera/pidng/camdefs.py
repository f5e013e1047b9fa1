"""Stands in for the names that picamera2 imports."""


class Picamera2Camera:
    """Imported by picamera2, and never used."""
