"""Stands in for the writer of raw files, which has no wheel and is never called here."""
