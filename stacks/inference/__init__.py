"""The inference endpoints of the cloud variants: one file each."""

from collections.abc import Sequence

from components.contracts import Functions, Inference
from functions.inference.endpoint import InferenceMode


def enable_autoscaling(
    inference_mode: InferenceMode, endpoints: Sequence[Inference], functions: Functions
) -> None:
    """Scale a cluster's replicas by load, and from zero by unfinished documents.

    Other endpoints scale themselves.
    """
    if inference_mode == "cluster":
        # Imported here: the other inference modes must not load the SDK of Kubernetes.
        from components.kubernetes import inference

        inference.enable_autoscaling(endpoints, functions)
