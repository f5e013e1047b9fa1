"""Model bundles: the signed files, and the manifest that says what they hold."""
