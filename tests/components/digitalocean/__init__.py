"""Tests of the components at DigitalOcean."""
