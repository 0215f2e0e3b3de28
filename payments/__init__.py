"""What a payment is, the rules it obeys, and the flows that carry it."""
