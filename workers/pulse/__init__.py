"""Signs of life: what each process says of itself, to the fleet and to whoever probes it."""
