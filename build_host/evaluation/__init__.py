"""What a model is worth: metrics with intervals, predictions, saliency, speed."""
