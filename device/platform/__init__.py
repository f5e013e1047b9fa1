"""What the operating system gives: systemd, files, settings, the clock, the log, buttons."""
