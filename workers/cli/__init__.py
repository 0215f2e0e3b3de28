"""The command `payferry`."""
