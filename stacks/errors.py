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
