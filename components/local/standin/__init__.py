"""An inference endpoint without weights: the OpenAI dialect outside, extractive summaries inside.

It lets the application run on a machine that has neither a GPU nor an account,
and it says in its model name what it is.
"""
