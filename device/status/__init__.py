"""How the running instrument is, for whoever looks after it; nothing about a patient."""
