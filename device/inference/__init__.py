"""From a frame to a finding: the bundle, the interpreter, calibration, saliency."""
