"""The gRPC API: other services read payments through it."""
