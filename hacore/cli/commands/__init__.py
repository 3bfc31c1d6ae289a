"""The commands, one module each, named after the command; each is imported when it is called."""
