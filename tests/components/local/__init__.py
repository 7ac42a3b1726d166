"""Tests of the local variant."""
