"""What the operating system gives: systemd, durable files, settings files, the clock."""
