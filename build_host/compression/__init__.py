"""From a trained network to the ``.tflite`` file that the device runs."""
