"""What is fitted on the validation fold: calibration, thresholds, quality limits."""
