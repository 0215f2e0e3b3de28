"""Running the processes of a Procfile on one machine, and leaving none behind."""
