"""PostgreSQL: what has come in, what is booked, what goes out, what has died."""
