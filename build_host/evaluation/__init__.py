"""Measuring a model: metrics with intervals, out-of-distribution images, saliency, speed."""
