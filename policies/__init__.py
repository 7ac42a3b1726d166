"""Policy rules, one file each, for plans and for Pulumi's engine."""
