"""Whether the instrument is sound: what is checked of it, and what was found."""
