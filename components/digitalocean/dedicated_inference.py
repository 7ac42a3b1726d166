"""The inference mode `dedicated` of the integrated variant: Dedicated Inference.

Arguments are those of the provider's own acceptance tests (terraform-provider-digitalocean v2.99.1,
2026-08); the example in its documentation disagrees with the API's schema.
"""

from collections.abc import Sequence

import pulumi
import pulumi_digitalocean as digitalocean

from catalog.regions import offering
from components.endpoint_ready import EndpointReady
from functions.inference.endpoint import InferenceMode
from sizing.machines import Machine

REGIONS = offering("digitalocean", "dedicated-inference")


class DedicatedInference(pulumi.ComponentResource):
    """A Dedicated Inference endpoint (see `components.contracts.Inference`).

    Creates:
    - a VPC
    - a public endpoint with one model deployment
    - an access token
    - a resource that waits until the endpoint answers correctly

    The endpoint is public, because Functions have no VPC. A public authority signs its certificate;
    `GET /v2/dedicated-inferences/{id}/ca` is for private endpoints. The model's name in requests is
    its Hugging Face repository. It is billed by the GPU-hour until it is destroyed: it has no
    autoscaling and no scale to zero.
    """

    name: str = "dedicated"
    inference_mode: InferenceMode = "dedicated"
    url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    context_tokens: int
    order: int = 0

    def __init__(
        self,
        name: str,
        *,
        region: str,
        machine: Machine,
        repository: str,
        context_tokens: int,
        replicas: int,
        sizing: str,
        hugging_face_token: pulumi.Input[str] | None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        machine: Machine type of each replica.
        repository: Hugging Face repository of the weights, and the model's name in requests.
        context_tokens: Longest prompt and answer together.
        replicas: Number of replicas.
        sizing: Explanation of the choice of machines, shown in the plan.
        """
        super().__init__("seamless:digitalocean:DedicatedInference", name, {"sizing": sizing}, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = digitalocean.Vpc(
            name,
            region=region,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        endpoint = digitalocean.DedicatedInference(
            name,
            region=region,
            vpc_uuid=vpc.id,
            enable_public_endpoint=True,
            model_deployments=[
                {
                    "model_slug": repository,
                    "model_provider": "hugging_face",
                    "provider_model_id": repository,
                    "accelerators": [
                        {
                            "accelerator_slug": machine.slug,
                            "scale": replicas,
                            "type": "prefill_decode",
                        }
                    ],
                }
            ],
            hugging_face_token=hugging_face_token,
            opts=child,
        )
        token = digitalocean.DedicatedInferenceToken(
            name, dedicated_inference_id=endpoint.id, opts=child
        )
        self.url = EndpointReady(
            f"{name}-ready",
            base_url=endpoint.public_endpoint_fqdn.apply(lambda host: f"https://{host}/v1"),
            model=repository,
            api_key=token.token,
            opts=child,
        ).base_url
        self.model = pulumi.Output.from_input(repository)
        self.api_key = pulumi.Output.secret(token.token)
        self.context_tokens = context_tokens
        self.register_outputs({"url": self.url, "model": self.model})
