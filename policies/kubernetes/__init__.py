"""Promises about objects in a Kubernetes cluster."""
