"""Fitting on the validation fold: calibration, thresholds, quality limits."""
