"""Stands in for the display library that picamera2 imports, and without a window never calls."""


class _AnyName(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_AnyName):
    """Knows every format by its name."""
