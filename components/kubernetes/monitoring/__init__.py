"""Prometheus, dashboards and the replica monitor."""
