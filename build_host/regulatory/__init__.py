"""The regulator's file: what can be generated of it, from the lock files, the models and tables."""
