"""A report: what a window of time has brought, what it says, and what to do about it."""
