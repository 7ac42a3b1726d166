"""The document-summarization application, the same in every variant. It never imports Pulumi."""

__version__ = "0.1.0"
