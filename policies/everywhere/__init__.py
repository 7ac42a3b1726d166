"""Promises about every resource, wherever it is."""
