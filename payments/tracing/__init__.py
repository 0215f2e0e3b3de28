"""Traces: which way a payment took through the processes, and how long each part of it lasted."""
