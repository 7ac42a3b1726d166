"""Rules about resources of every provider."""
