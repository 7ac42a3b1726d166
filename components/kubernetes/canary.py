"""A first question to a new model, asked where it can be reached: inside its cluster."""

import json

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.gateway import GATEWAY
from components.kubernetes.gateway import PORT as GATEWAY_PORT
from components.kubernetes.images import GATEWAY as IMAGE
from components.kubernetes.pods import TRIED_AGAIN, container, pod
from components.kubernetes.space import egress, ingress
from functions.question import CODE, canary_prompt

CANARY = {"app.kubernetes.io/name": "canary"}

ASK = (
    "curl --fail --silent --show-error --max-time 120 --retry 20 --retry-delay 15"
    " --retry-all-errors --cacert /ask/ca.crt --header @/ask/headers --data @/ask/question.json"
    f' --connect-to "::$GATEWAY:443" "$URL/chat/completions" | grep --fixed-strings "{CODE}"'
)
"""The key is in a file, since every process of a node can read an argument."""


class Canary(pulumi.ComponentResource):
    """A Job that asks through the gateway, as the functions will, and fails on a wrong answer.

    Whoever uses `base_url` waits for it, so nothing is pointed at a model that does not work.
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
        after: What must be there before it makes sense to ask.
        """
        super().__init__("seamless:kubernetes:Canary", name, None, opts)
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
        ways = [
            egress(
                f"{name}-out",
                namespace=namespace,
                from_=CANARY,
                port=GATEWAY_PORT,
                targets=[{"podSelector": {"matchLabels": GATEWAY}}],
                opts=child,
            ),
            ingress(
                f"{name}-in",
                namespace=namespace,
                to=GATEWAY,
                port=GATEWAY_PORT,
                sources=[{"podSelector": {"matchLabels": CANARY}}],
                opts=child,
            ),
        ]
        ask = container(
            "ask",
            IMAGE,
            resources={
                "requests": {"cpu": "50m", "memory": "32Mi"},
                "limits": {"memory": "128Mi", "ephemeral-storage": "100Mi"},
            },
            command=["sh", "-c", ASK],
            env=[{"name": "GATEWAY", "value": gateway}, {"name": "URL", "value": base_url}],
            volumeMounts=[{"name": "ask", "mountPath": "/ask", "readOnly": True}],
        )
        job = kubernetes.batch.v1.Job(
            name,
            metadata={"namespace": namespace, "annotations": TRIED_AGAIN},
            spec={
                "backoffLimit": 3,
                "template": {
                    "metadata": {"labels": CANARY},
                    "spec": pod(
                        IMAGE,
                        containers=[ask],
                        volumes=[
                            {
                                "name": "ask",
                                "secret": {
                                    "secretName": secret.metadata["name"],
                                    "defaultMode": 0o440,
                                },
                            }
                        ],
                        restartPolicy="Never",
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*ways, *after],
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m"),
            ),
        )
        self.base_url = pulumi.Output.all(base_url, job.id).apply(lambda facts: str(facts[0]))
        self.register_outputs({"base_url": self.base_url})
