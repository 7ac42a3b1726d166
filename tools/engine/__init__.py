"""Installation of a Pulumi engine."""
