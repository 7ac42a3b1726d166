"""A Job that proves, before the application uses a new model, that the gateway answers."""

import json

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base import pods
from components.kubernetes.base.images import GATEWAY as IMAGE
from components.kubernetes.base.namespace import egress, ingress, pods_with
from components.kubernetes.base.pods import REPLACE_FAILED, Manifest
from components.kubernetes.serving.gateway import GATEWAY
from components.kubernetes.serving.gateway import PORT as GATEWAY_PORT
from functions.inference.canary_prompt import CODE, canary_prompt

SMOKE_TEST = {"app.kubernetes.io/name": "smoke-test"}

REQUEST = (
    "curl --fail --silent --show-error --max-time 120 --retry 20 --retry-delay 15"
    " --retry-all-errors --cacert /request/ca.crt --header @/request/headers"
    " --data @/request/question.json"
    f' --connect-to "::$GATEWAY:443" "$URL/chat/completions" | grep --fixed-strings "{CODE}"'
)
"""The key is in a file: every process of a node can read a command line."""


class SmokeTest(pulumi.ComponentResource):
    """One request through the gateway, as the functions make it; a wrong answer fails the `up`.

    `base_url` is known only after the test has passed, so nothing uses a model that does not work.

    Creates a Secret with the request and its key, a Job, and the NetworkPolicies for its way to the
    gateway.
    """

    base_url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Output[str],
        gateway: pulumi.Output[str],
        base_url: pulumi.Output[str],
        certificate_authority: pulumi.Output[str],
        model: str,
        api_key: pulumi.Output[str],
        after: list[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        gateway: Name of its Service, in the same namespace.
        after: Resources that must be ready before the request.
        """
        super().__init__("seamless:kubernetes:SmokeTest", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        headers = pulumi.Output.concat(
            "Content-Type: application/json\nAuthorization: Bearer ", api_key, "\n"
        )
        secret = kubernetes.core.v1.Secret(
            name,
            metadata={"namespace": namespace},
            string_data={
                "ca.crt": certificate_authority,
                "headers": headers,
                "question.json": json.dumps(canary_prompt(model)),
            },
            opts=child,
        )
        to_gateway, from_test = pods_with(GATEWAY), pods_with(SMOKE_TEST)
        policies = [
            egress(f"{name}-egress", namespace, SMOKE_TEST, GATEWAY_PORT, to_gateway, opts=child),
            ingress(f"{name}-ingress", namespace, GATEWAY, GATEWAY_PORT, from_test, opts=child),
        ]
        job = kubernetes.batch.v1.Job(
            name,
            metadata={"namespace": namespace, "annotations": REPLACE_FAILED},
            spec=pods.job(SMOKE_TEST, _pod(secret.metadata["name"], gateway, base_url), retries=3),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*policies, *after],
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m"),
            ),
        )
        self.base_url = pulumi.Output.all(base_url, job.id).apply(lambda values: str(values[0]))
        self.register_outputs({"base_url": self.base_url})


def _pod(
    secret: pulumi.Output[str], gateway: pulumi.Output[str], base_url: pulumi.Output[str]
) -> Manifest:
    return pods.pod(
        "request",
        IMAGE,
        resources=pods.resources("50m", "32Mi", memory_limit="128Mi", disk_limit="100Mi"),
        command=["sh", "-c", REQUEST],
        env={"GATEWAY": gateway, "URL": base_url},
        volumes={"/request": pods.secret_volume("request", secret)},
        spec={"restartPolicy": "Never"},
    )
