"""From a frame to a finding: the network and its runtimes, calibration, saliency."""
