"""Attacks with chance in them, seeded: a few in the tests, and as many as one likes on demand."""
