"""The bundle: drafting its manifest, and signing it."""
