"""Extraction of text from documents, in a sandboxed process."""
