"""Plans as text: a tree for the terminal, Markdown for a pull request."""
