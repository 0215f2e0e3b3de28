"""What each provider's messages mean."""
