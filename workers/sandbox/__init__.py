"""An HTTP server that plays the payment providers, with their faults."""
