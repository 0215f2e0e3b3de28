"""Calling a provider over HTTP."""
