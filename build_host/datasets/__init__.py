"""Readers of image collections, and the split by lesion."""
