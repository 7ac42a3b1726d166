"""Plans of stacks, their cost and their differences."""


class PlanError(ValueError):
    """A plan cannot be made from these arguments or this program."""
