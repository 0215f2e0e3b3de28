"""The verbs: what is done with a payment event, from arrival to end."""
