"""Reading and validating datasets, and splitting them by lesion."""
