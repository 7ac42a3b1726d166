"""How a config value that breaks its rule is refused."""

import pulumi


class SettingsError(ValueError):
    """A config value breaks its rule; the message says which, how, and what to type."""

    def __init__(
        self,
        key: str,
        value: str,
        rule: str,
        example: str,
        *,
        secret: bool = False,
        path: bool = False,
    ):
        flags = ("--secret " if secret else "") + ("--path " if path else "")
        name = f"'{key}'" if path else key
        super().__init__(
            f"Config {key} is {value}, but {rule}. "
            f"Set it: pulumi config set {flags}{name} {example}".rstrip()
            + f" --stack {pulumi.get_stack()}"
        )

    @classmethod
    def of(cls, message: str) -> "SettingsError":
        """A refusal whose message says all that, the lines that mend it among it."""
        error = cls.__new__(cls)
        ValueError.__init__(error, f"{message}\n(each with --stack {pulumi.get_stack()})")
        return error


class StackNameError(SettingsError):
    """A stack has a name that a cloud would refuse; no config value mends it."""

    def __init__(self, name: str, rule: str):
        ValueError.__init__(
            self,
            f"The stack's name is {name!r}, but {rule}. "
            "Rename it: pulumi stack rename NAME, and stacks/Pulumi.NAME.yaml with it",
        )
