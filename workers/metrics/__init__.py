"""Where the metrics of processes are kept, and how they are shown."""
