"""Autoscaling, GPU sharing and headroom."""
