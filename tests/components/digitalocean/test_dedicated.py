"""Dedicated Inference has the arguments of the provider's acceptance tests and secret keys.

Those tests: terraform-provider-digitalocean at 401992a (2026-08-06), dedicatedinference/
resource_dedicated_inference_test.go and resource_dedicated_inference_token_test.go.
"""

import pulumi
import pytest

from analysis.mock_engine import Monitor, observe
from components.contracts import Inference
from components.digitalocean import dedicated_inference, regions
from components.digitalocean.dedicated_inference import DedicatedInference
from policies.resource import SECRET, Resource
from sizing.machines import machine
from tests.support.planned import used

REPOSITORY = "Qwen/Qwen2.5-14B-Instruct"


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    """The planned resources, with the attributes of the endpoint as outputs."""

    def program() -> None:
        endpoint: Inference = DedicatedInference(
            "inference",
            region="atl1",
            machine=machine("gpu-mi300x1-192gb"),
            repository=REPOSITORY,
            context_tokens=32_768,
            replicas=1,
            sizing="as sized",
            hugging_face_token="hf_token",
        )
        pulumi.export("model", endpoint.model)
        pulumi.export("api_key", endpoint.api_key)

    return observe(program, project="seamless", stack="test")


@pytest.fixture(scope="module")
def planned(monitor: Monitor) -> dict[str, Resource]:
    return {resource.type.split(":")[-1]: resource for resource in monitor.planned}


def test_the_arguments_are_those_of_the_acceptance_tests(planned: dict[str, Resource]) -> None:
    inputs = planned["DedicatedInference"].inputs

    assert inputs["region"] == planned["Vpc"].inputs["region"] == "atl1"
    assert used(planned["DedicatedInference"], "vpcUuid") == [planned["Vpc"].name]
    assert inputs["enablePublicEndpoint"] is True
    assert inputs["modelDeployments"] == [
        {
            "modelSlug": REPOSITORY,
            "modelProvider": "hugging_face",
            "providerModelId": REPOSITORY,
            "accelerators": [
                {"acceleratorSlug": "gpu-mi300x1-192gb", "scale": 1, "type": "prefill_decode"}
            ],
        }
    ]


def test_the_endpoint_has_the_model_name_of_the_repository_and_secret_keys(
    monitor: Monitor, planned: dict[str, Resource]
) -> None:
    assert monitor.stack_outputs["model"] == REPOSITORY
    assert planned["DedicatedInference"].inputs["huggingFaceToken"] == SECRET
    assert used(planned["DedicatedInferenceToken"], "dedicatedInferenceId") == ["inference"]
    assert monitor.stack_outputs["api_key"] == SECRET


def test_one_region_has_both_functions_and_dedicated_inference() -> None:
    assert (
        set(dedicated_inference.REGIONS) & set(regions.FUNCTIONS) == {regions.DEFAULT} == {"tor1"}
    )
