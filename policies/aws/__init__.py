"""Promises about resources at AWS."""
