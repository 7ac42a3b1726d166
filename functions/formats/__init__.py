"""One reader per document format: bytes in, text out, or a `Failure` that says what is wrong."""
