"""Version 1 of the service: generated, see `payferry`."""
