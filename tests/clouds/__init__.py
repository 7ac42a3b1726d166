"""Tests of the simulated clouds: provider plugins that the real engine starts."""
