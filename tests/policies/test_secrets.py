"""How secrets are told from what only looks like one."""

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
def test_a_secret_is_known_by_its_beginning_or_its_randomness(text: str, kind: str) -> None:
    """Also in the middle of a text."""
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
def test_what_stacks_are_made_of_is_no_secret(text: str) -> None:
    """Names, addresses, identifiers and hashes."""
    assert kind_of_secret("value", text) is None


@pytest.mark.parametrize("kind", ["CERTIFICATE", "CERTIFICATE REQUEST", "PUBLIC KEY"])
def test_a_certificate_is_no_secret_and_hides_none(kind: str) -> None:
    """Also inside JSON, as the application is told of a private authority."""
    authorities = Path(certifi.where()).read_text()
    start = authorities.index("-----BEGIN CERTIFICATE-----")
    end = authorities.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
    shown = authorities[start:end].replace("CERTIFICATE", kind)
    told = json.dumps([{"name": "cluster", "ca": shown}])

    assert kind_of_secret("INFERENCE_ENDPOINTS", told) is None
    assert kind_of_secret("INFERENCE_ENDPOINTS", f"{told} glpat-{'a1' * 10}") == "a GitLab token"


def test_nearly_every_random_secret_is_found() -> None:
    """Of 24 random bytes; few have fewer than two digits."""
    found = [kind_of_secret("value", secrets.token_urlsafe(24)) for _ in range(1000)]

    assert found.count("random text") > 750


def test_every_secret_that_this_project_makes_is_found_by_its_beginning() -> None:
    provider: ResourceProvider = generated_secret._Provider()
    made = provider.create({"bytes": 16}).outs or {}

    assert kind_of_secret("value", made["value"]) == "a secret of this project"
    assert kind_of_secret("value", f"Bearer {made['value']}") == "a secret of this project"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("DATABASE_PASSWORD", True),
        ("masterPassword", True),
        ("API_TOKEN", True),
        ("apiKey", True),
        ("STORE_SECRET_ACCESS_KEY", True),
        ("client_secret", True),
        ("STORE_ACCESS_KEY_ID", False),
        ("INFERENCE_CONTEXT_TOKENS", False),
        ("API_TOKEN_SECRET_ARN", False),
        ("kmsKeyId", False),
        ("secret", False),
        ("clientSecret", True),
        ("existingSecret", False),
    ],
)
def test_a_name_says_that_it_holds_a_secret(name: str, secret: bool) -> None:
    """Not the name of what leads to one."""
    assert names_secret(name) is secret
