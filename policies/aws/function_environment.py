"""AWS-LAM-06: whoever may look at a function does not see a secret."""

from collections.abc import Iterator

from policies.rule import Resource, ResourceRule, one_of
from policies.secrets import is_reference, kind_of_secret, names_secret
from policies.values import Hidden, mapped


def _check(function: Resource) -> Iterator[str]:
    environment = function.props.get("environment")
    variables = mapped(environment).get("variables")
    if Hidden.SECRET in (environment, variables):
        yield "Its environment holds a secret."
    for name, value in mapped(variables).items():
        if value is Hidden.SECRET:
            yield f"Environment variable {name} holds a secret."
        elif isinstance(value, str) and not is_reference(value):
            if kind := kind_of_secret(name, value):
                yield f"Environment variable {name} looks like {kind}."
            elif names_secret(name):
                yield f"Environment variable {name} is named like a secret and has a plain value."


RULE = ResourceRule(
    id="AWS-LAM-06",
    title="No environment variable of a Lambda function holds a secret.",
    severity="critical",
    enforcement="mandatory",
    remedy="Keep the value in Secrets Manager, hand the function the secret's ARN, and let it read "
    "the value when it starts.",
    source="CKV_AWS_45; Prowler awslambda_function_no_secrets_in_variables; https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html",
    applies=one_of("aws:lambda/function:Function"),
    check=_check,
)
