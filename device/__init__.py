"""What runs on the dermatoscope: from a camera frame to a finding on the screen."""

__version__ = "0.1.0"
