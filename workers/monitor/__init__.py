"""The monitor: looks at the whole fleet, says how it is, and shows it as metrics."""
