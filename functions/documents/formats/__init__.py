"""One reader per document format: takes bytes, returns text or raises `Failure`."""
