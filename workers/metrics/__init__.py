"""What is measured, in the form that Prometheus reads."""
