"""Tests of the local arrangement."""
