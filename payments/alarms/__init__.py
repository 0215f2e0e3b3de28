"""Telling a person at once: what happens to a critical log event besides its line in the log."""
