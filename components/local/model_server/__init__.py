"""An OpenAI-compatible server without weights, which answers with extractive summaries.

With it the application runs on a machine without a GPU and without an account. Its model name says
that it is no language model.
"""
