"""How a config value that breaks its rule is refused."""

import re
import shlex

import pulumi


class ConfigError(ValueError):
    """A config value breaks its rule; the message has the key, the value, the rule, a remedy."""

    def __init__(
        self,
        key: str,
        value: str,
        rule: str,
        example: str | None,
        *,
        secret: bool = False,
    ) -> None:
        """Args:
        key: A path such as `inference_endpoints[0].name` inside a list or an object.
        value: As it is shown; never that of a secret.
        example: A value that keeps the rule; None where the key must go. A secret has none:
            Pulumi prompts for it.
        """
        path = [] if key.isidentifier() else ["--path"]
        command = ["pulumi", "config", "rm", *path, key]
        if example is not None:
            words = [key, *([] if secret and not example else [example])]
            command = ["pulumi", "config", "set", *(["--secret"] * secret), *path, *words]
        super().__init__(
            f"Config {key} is {value}, but {rule}. {'Remove' if example is None else 'Set'} it: "
            f"{shlex.join([*command, '--stack', pulumi.get_stack()])}"
        )

    @classmethod
    def of(cls, message: str) -> "ConfigError":
        """An error with the rule and the remedies of another; each remedy gets the stack's name."""
        error = cls.__new__(cls)
        stack = rf"\g<0> --stack {pulumi.get_stack()}"
        ValueError.__init__(error, re.sub(r"pulumi config set \S+ \S+", stack, message))
        return error


class ModeNotOfferedError(ConfigError):
    """The variant does not offer the inference mode, or not with this config."""


class StackNameError(ConfigError):
    """A cloud would refuse the stack's name; no config value changes it."""

    def __init__(self, name: str, rule: str) -> None:
        ValueError.__init__(
            self,
            f"The stack's name is {name!r}, but {rule}. "
            "Rename it: pulumi stack rename NAME, and stacks/Pulumi.NAME.yaml with it",
        )
