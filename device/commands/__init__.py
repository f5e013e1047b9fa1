"""What a person can ask of the instrument: one command to a module.

Each module adds its command, and imports what is heavy only when the command is run.
"""
