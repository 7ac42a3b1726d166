"""The document-summarization application: what runs in every arrangement. Never imports Pulumi."""

__version__ = "0.1.0"
