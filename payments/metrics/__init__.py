"""What is measured: one catalogue, and the counting of log events."""
