"""What runs on the dermatoscope: from a camera frame to a finding on the screen."""

import os

# pygame greets whoever imports it on standard output, where our results go.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

__version__ = "0.1.0"
