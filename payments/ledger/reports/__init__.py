"""Counting what a window of time has brought, for reports. Reads only."""
