"""Secrets are recognized by their beginning, their randomness or their name."""

import json
import secrets
from pathlib import Path

import certifi
import pytest
from pulumi.dynamic import ResourceProvider

from components import generated_secret
from policies.secrets import kind_of_secret, names_secret


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("dop_v1_" + "0a" * 32, "a DigitalOcean token"),
        ("sk-do-" + "a1" * 16, "a DigitalOcean model access key"),
        ("sk-" + "a1" * 16, "an OpenAI-style key"),
        ("fw_" + "a1" * 10, "a Fireworks key"),
        ("ghp_" + "a1" * 18, "a GitHub token"),
        ("glpat-" + "a1" * 10, "a GitLab token"),
        ("hf_" + "aB" * 17, "a Hugging Face token"),
        ("pul-" + "0a" * 20, "a Pulumi token"),
        ("xoxb-1234567890", "a Slack token"),
        ("AIza" + "a" * 35, "a Google API key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM.c2lnbmF0dXJl", "a signed web token"),
        ("postgres://u:p@h/d", "a URL with a password"),
        ("3ZkQ8vR2mN7xL4pT/sYcW1QaBd5HfJ6u", "random text"),
    ],
)
def test_a_secret_is_recognized_by_its_beginning_or_its_randomness(text: str, kind: str) -> None:
    assert kind_of_secret("note", text) == kind
    assert kind_of_secret("note", f"use {text} now") == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "summarizer",
        "accounts/fireworks/models/gpt-oss-120b",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free",
        "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
        "2b1f9e0c-6a59-4c0e-8a53-0f5c7d3e9a11",
        "257f59d122caddd69fa559e5b5a79226a8eee8cecdd7bb5b0abf7a248c9ccecd",
        "https://inference.do-ai.run/v1",
        "postgres://summarizer@db.example:25060/summarizer?sslmode=verify-full",
        "-----BEGIN CERTIFICATE-----",
        "functions.handlers.digitalocean",
        "AmazonEC2ContainerRegistryFullAccessPolicyXyz",
        "/Users/JaneQ/Projects42/wKxyzBvgFm/seamless-up",
    ],
)
def test_names_addresses_identifiers_and_hashes_are_no_secrets(text: str) -> None:
    assert kind_of_secret("value", text) is None


@pytest.mark.parametrize("kind", ["CERTIFICATE", "CERTIFICATE REQUEST", "PUBLIC KEY"])
def test_a_certificate_is_no_secret_and_does_not_hide_one(kind: str) -> None:
    authorities = Path(certifi.where()).read_text()
    start = authorities.index("-----BEGIN CERTIFICATE-----")
    end = authorities.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
    certificate = authorities[start:end].replace("CERTIFICATE", kind)
    text = json.dumps([{"name": "cluster", "ca": certificate}])

    assert kind_of_secret("INFERENCE_ENDPOINTS", text) is None
    assert kind_of_secret("INFERENCE_ENDPOINTS", f"{text} glpat-{'a1' * 10}") == "a GitLab token"


def test_most_random_secrets_are_recognized() -> None:
    found = [kind_of_secret("value", secrets.token_urlsafe(24)) for _ in range(1000)]

    assert found.count("random text") > 750


def test_a_generated_secret_is_recognized_by_its_beginning() -> None:
    provider: ResourceProvider = generated_secret._Provider()
    outputs = provider.create({"bytes": 16}).outs or {}

    assert kind_of_secret("value", outputs["value"]) == "a secret of this project"
    assert kind_of_secret("value", f"Bearer {outputs['value']}") == "a secret of this project"


NAMES = (
    "password DATABASE_PASSWORD masterPassword API_TOKEN apiKey STORE_SECRET_ACCESS_KEY "
    "client_secret clientSecret"
)
OTHER_NAMES = (
    "STORE_ACCESS_KEY_ID INFERENCE_CONTEXT_TOKENS API_TOKEN_SECRET_ARN kmsKeyId secret "
    "existingSecret"
)


@pytest.mark.parametrize(("names", "secret"), [(NAMES, True), (OTHER_NAMES, False)])
def test_a_name_of_a_secret_is_recognized(names: str, secret: bool) -> None:
    assert {name: names_secret(name) for name in names.split()} == dict.fromkeys(
        names.split(), secret
    )
