"""Kafka: where payments come from and where events go."""
