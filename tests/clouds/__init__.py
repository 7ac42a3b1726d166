"""Simulated clouds: provider plugins that the real engine starts, and that keep what it makes."""
