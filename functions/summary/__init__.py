"""Splitting of a text and summarization of its parts."""
