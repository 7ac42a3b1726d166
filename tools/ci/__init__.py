"""Checks, plans and the pull-request comment."""
