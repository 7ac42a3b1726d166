"""The resources of the integrated arrangement."""
