"""Clients of OpenAI-compatible endpoints, and routing between them."""
