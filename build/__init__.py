"""The bundle: the function code with its dependencies."""
