"""AWS-LAM-06: environment variables of Lambda functions hold no secrets."""

from collections.abc import Iterator

from policies.resource import SECRET, Resource
from policies.rule import ResourceRule, one_of
from policies.secrets import is_reference, kind_of_secret, names_secret
from policies.values import mapped, readable


def _check(function: Resource) -> Iterator[str]:
    environment = function.inputs.get("environment")
    variables = mapped(environment).get("variables")
    if SECRET in (environment, variables):
        yield "The environment holds a secret."
    for name, value in mapped(variables).items():
        if value == SECRET:
            yield f"Environment variable {name} holds a secret."
        elif (text := readable(value)) and not is_reference(text):
            if kind := kind_of_secret(name, text):
                yield f"Environment variable {name} looks like {kind}."
            elif names_secret(name):
                yield f"Environment variable {name} is named like a secret and has a plain value."


RULE = ResourceRule(
    id="AWS-LAM-06",
    title="No environment variable of a Lambda function holds a secret.",
    severity="critical",
    enforcement="mandatory",
    remedy="Keep the value in Secrets Manager, pass the secret's ARN to the function, and read the "
    "value when the function starts.",
    source="CKV_AWS_45; Prowler awslambda_function_no_secrets_in_variables; https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html",
    applies=one_of("aws:lambda/function:Function"),
    check=_check,
)
