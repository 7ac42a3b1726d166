"""The inference endpoints of each variant: one file per variant."""

from collections.abc import Sequence

from components.contracts import Functions, Inference
from functions.inference.endpoint import InferenceMode


def enable_autoscaling(
    inference_mode: InferenceMode, endpoints: Sequence[Inference], functions: Functions
) -> None:
    """Scale a cluster's replicas by the application's queue; other endpoints scale themselves."""
    if inference_mode == "cluster":
        # Imported here: the other inference modes must not load the SDK of Kubernetes.
        from components.kubernetes import inference

        inference.enable_autoscaling(endpoints, functions)
