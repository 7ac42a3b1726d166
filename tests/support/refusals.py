"""How endpoints refuse a model that they do not have, and a wrong URL: status and body.

Read on 2026-11-29 in the places that each entry names; the model's name is replaced.
"""

import json
from collections.abc import Mapping
from typing import Any

MODEL = "some-model"


def _error(message: str, **fields: Any) -> str:
    return json.dumps({"error": {"message": message, **fields}})


NO_MODEL: Mapping[str, tuple[int, str]] = {
    # github.com/anomalyco/models.dev/pull/5683, 2026-08-28, a retired serverless model
    "fireworks": (
        404,
        json.dumps(
            {
                "error": {
                    "message": "Model not found, inaccessible, and/or not deployed",
                    "param": "model",
                    "code": "NOT_FOUND",
                    "type": "error",
                },
                "request_id": "chatcmpl-1",
            }
        ),
    ),
    # docs.digitalocean.com/products/inference/details/model-support-policy, 2026-05-08: "404 Model
    # not found"; the shape is that of digitalocean/openapi, shared/models/error.yml at 7c1300c
    "digitalocean": (404, json.dumps({"id": "not_found", "message": "Model not found"})),
    # github.com/Aider-AI/aider/issues/2030, 2024-10-11
    "openai": (
        404,
        _error(
            f"The model `{MODEL}` does not exist or you do not have access to it.",
            type="invalid_request_error",
            param=None,
            code="model_not_found",
        ),
    ),
    # github.com/waylaidwanderer/node-chatgpt-api/issues/131, 2023-02-28
    "openai without a code": (
        404,
        _error("That model does not exist", type="invalid_request_error", param=None, code=None),
    ),
    # github.com/HeyPuter/puter/issues/3168: a model that is no longer serverless, with 400
    "together": (
        400,
        _error(
            f"Unable to access non-serverless model {MODEL}. Please visit "
            f"https://api.together.ai/models/{MODEL} to create and start a new dedicated endpoint "
            "for the model.",
            type="invalid_request_error",
            param=None,
            code="model_not_available",
        ),
    ),
    # The text: github.com/anomalyco/opencode/issues/43514, 2026-08-19; status and shape are those
    # of the API that it copies, not recorded.
    "bedrock": (404, _error(f"The model '{MODEL}' does not exist")),
    # github.com/aws-solutions-library-samples/
    # accelerated-intelligent-document-processing-on-aws/issues/708, 2026-08-29, and
    # github.com/griptape-ai/griptape-nodes-engine/issues/4498, 2026-05-04
    "bedrock, retired": (
        404,
        _error(
            "This model version has reached the end of its life. Please refer to the AWS "
            "documentation for more details."
        ),
    ),
    # console.groq.com/docs/deprecations, and bodies in public repositories
    "groq": (
        400,
        _error(
            f"The model `{MODEL}` has been decommissioned and is no longer supported. Please refer "
            "to https://console.groq.com/docs/deprecations for a recommendation on which model to "
            "use instead.",
            type="invalid_request_error",
            code="model_decommissioned",
        ),
    ),
    # github.com/vllm-project/vllm/issues/3485, 2024-03-19; later versions put it below `error`
    "vllm": (
        404,
        json.dumps(
            {
                "object": "error",
                "message": f"The model `{MODEL}` does not exist.",
                "type": "NotFoundError",
                "param": None,
                "code": 404,
            }
        ),
    ),
    # docs.baseten.co/inference/errors: 404 for a wrong model ID, and a text at `error` in every
    # error; the text itself is not recorded
    "baseten": (404, json.dumps({"error": "Model not found"})),
    # the same page: an error of the model's own server is passed on as it is, in the text
    "baseten, of the model's server": (
        404,
        json.dumps(
            {
                "error": json.dumps(
                    {"object": "error", "message": f"The model `{MODEL}` does not exist."}
                )
            }
        ),
    ),
    # docs.mistral.ai/resources/error-glossary, 2026-04-26: the fields; the text is not recorded
    "mistral": (
        400,
        json.dumps(
            {
                "object": "error",
                "message": "A human-readable description of the error.",
                "type": "invalid_request_error",
                "param": "model",
                "code": "unknown_model",
            }
        ),
    ),
    # A transcript of 2025-10-19 in the public repository PlayAiGitHubPyModels
    "github": (
        404,
        json.dumps(
            {
                "error": {
                    "code": "unknown_model",
                    "message": f"Unknown model: {MODEL}",
                    "details": f"Unknown model: {MODEL}",
                }
            }
        ),
    ),
    # FastAPI puts the text of an exception at `detail` (fastapi.tiangolo.com/tutorial/
    # handling-errors), also a list; servers in Python that copy OpenAI's API answer so.
    "fastapi": (404, json.dumps({"detail": "Model not found"})),
    "fastapi, a list": (
        404,
        json.dumps({"detail": [{"loc": ["body", "model"], "msg": f"Model {MODEL} not found"}]}),
    ),
    "fastapi, an object": (404, json.dumps({"detail": {"error": f"Model {MODEL} not found"}})),
    # Not recorded at a provider: a null message must not hide the code.
    "no message": (404, json.dumps({"error": {"message": None, "code": "model_not_found"}})),
    "no message at the top": (400, json.dumps({"message": None, "code": "unknown_model"})),
    # Not recorded at a provider: other words for the same, and a key without access to the model.
    "could not be found": (404, _error(f"The model {MODEL} could not be found")),
    "a name with a path": (404, _error("The model openai/gpt-oss-120b:v1.5 doesn't exist")),
    "decommissioned": (404, _error(f"Model {MODEL} has been decommissioned.")),
    "forbidden": (403, _error("Project x has no access to it", code="model_not_found")),
    # RFC 9110, 15.5.11: a resource that is gone for good; no provider of ours was seen to send it
    "gone": (410, _error(f"The model {MODEL} was retired.")),
}

WRONG_URL: Mapping[str, tuple[int, str]] = {
    "openai": (
        404,
        _error(
            "Invalid URL (POST /v1/chat/completion)",
            type="invalid_request_error",
            param=None,
            code=None,
        ),
    ),
    "fastapi": (404, '{"detail": "Not Found"}'),
    "fastapi, a list": (404, '{"detail": [{"loc": ["path"], "msg": "Not Found"}]}'),
    "baseten": (404, json.dumps({"error": "Not found"})),
    "baseten, with a path": (404, json.dumps({"error": "Path /model/x/v2 was not found"})),
    "no message": (404, json.dumps({"error": {"message": None, "code": None}})),
    "a list": (404, "[]"),
    "digitalocean": (
        404,
        json.dumps(
            {"id": "not_found", "message": "The resource you requested could not be found."}
        ),
    ),
    # Not recorded: the text has the word model and is about the URL.
    "a path of the model API": (404, _error("The model API has no path /v1/chat: not found")),
    "a host": (404, _error("Could not route to the model service: host not found")),
    "a gateway": (
        404,
        _error("Model gateway: the requested endpoint is deprecated, use /v2"),
    ),
    "a route of the model server": (
        404,
        json.dumps({"detail": "model server: route /v1/v1/chat/completions not found"}),
    ),
    "a path for a model": (404, _error(f"No such path for model={MODEL}: not found")),
    "nginx": (404, "<html><title>404 Not Found</title>The model page</html>"),
    "empty": (404, ""),
    "gone": (410, ""),
}
