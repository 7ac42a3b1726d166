"""The commands of the documents: their output, or why they are not executed."""

from dataclasses import dataclass

from tools.workspace import stack_names

KEY = "a-key-of-the-reader"

NOT_EXECUTED = {
    ("*", "*…*"): "the name of a command, not a line to type",
    ("*", "./seamless test*"): "it runs tests, this one among them",
    ("*", "./seamless check"): "tests/test_jobs.py runs it in a clean clone",
    ("*", "./seamless bench scaling"): "tests/test_scaling_simulation.py tests it",
    ("*", "./seamless rename *"): "tests/tools/test_rename.py, and a copy in test_template.py",
    ("*", "./seamless doctor --stack *"): "it needs an account; tests/tools/test_preflight.py",
    ("*", "./seamless preview *"): "it needs an account; test_clouds.py, at simulated clouds",
    ("*", "./seamless up *"): "it needs an account; test_clouds.py, at simulated clouds",
    ("*", "./seamless outputs integrated*"): "it needs an account; test_clouds.py",
    ("*", "./seamless down integrated*"): "it needs an account; test_clouds.py",
    ("*", "./seamless down split"): "it needs an account; test_clouds.py",
    ("docs/project.md", "*"): "test_template.py, and tests/tools/test_fork.py in copies",
    ("docs/ci.md", "*--against HEAD^1"): "tests/test_jobs.py runs it",
    ("docs/ci.md", "*--against origin/main"): "README's line with another commit",
    ("docs/ci.md", "*--all --json"): "the plans are those of README's line",
    ("docs/live.md", "./seamless plan integrated*"): "it is compared with an account's answers",
    ("docs/tear-down.md", "./seamless pulumi destroy"): "it is a warning for prod",
    ("docs/tear-down.md", "aws *"): "it needs an account",
    ("docs/tear-down.md", "doctl *"): "it needs an account",
    ("docs/tear-down.md", "./seamless pulumi * integrated*"): "test_local_stack and test_template",
}
"""Document and line, as shell patterns, and why.

tests/tools/test_documentation.py parses every `./seamless` command."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A line that is executed.

    Attributes:
        text: The line. A `pulumi` line is run as `./seamless pulumi`.
        prints: Words that it must print.
        sample: Beginning of the document's block that it must print; numbers may differ.
        answer: Input to its question.
        status: Exit code.
    """

    text: str
    prints: tuple[str, ...] = ()
    sample: str = ""
    answer: str = ""
    status: int = 0


def plans(text: str, *prints: str) -> Ran:
    """A plan, which needs no account."""
    return Ran(text=text, prints=prints)


def sets(*texts: str, answer: str = "") -> list[Ran]:
    """Config values; Pulumi prints nothing."""
    return [Ran(text=text, answer=answer) for text in texts]


ELSEWHERE = "pulumi config set-all --plaintext inference_url="
SPARE = "pulumi config set --path 'inference_endpoints[0]"

COUNTED = ("Plans: 7",) if stack_names() == ["integrated", "local", "split"] else ()
"""The number of plans, unless a fork has other stacks."""

STORIES: dict[str, list[Ran]] = {
    "README.md": [
        Ran(text="./seamless up", sample="Deploying stack local"),
        plans("./seamless plan split", "split: split, serverless", "store-bucket"),
        plans(
            "./seamless plan --all --markdown --against main",
            "### local",
            "Against `main`: no difference",
            *COUNTED,
        ),
        Ran(
            text="./seamless summarize report.pdf minutes.docx",
            prints=("✓ report.pdf", "✓ minutes.docx"),
        ),
        Ran(
            text="./seamless outputs --json", prints=('"page_url": "http://127.0.0.1:', "api_token")
        ),
        *sets("./seamless pulumi config set inference_mode dedicated"),
        Ran(text="./seamless up", prints=("+ dedicated-server", "- serverless-server")),
        Ran(
            text="./seamless down",
            prints=("This deletes all 13 resources", "Nothing was changed"),
            answer="n",
            status=1,
        ),
    ],
    "docs/clusters.md": [
        *sets("pulumi config set cluster_api_cidrs 192.0.2.7/32"),
        plans(
            "./seamless plan integrated --config inference_mode=cluster",
            "integrated: integrated, cluster",
        ),
    ],
    "docs/endpoints.md": [
        *sets(
            f"{SPARE}.name' spare",
            f"{SPARE}.url' https://inference.do-ai.run/v1",
            f"{SPARE}.model' openai-gpt-oss-120b",
            f"{SPARE}.context_tokens' 131072",
        ),
        *sets("pulumi config set --secret --path 'inference_endpoint_keys.spare'", answer=KEY),
        *sets(
            f"{SPARE}.input_usd_per_million' 0.15",
            f"{SPARE}.successor' openai-gpt-oss-20b",
            "pulumi config set inference_successor openai/gpt-oss-20b",
            f"{SPARE}.order' 0",
            f"{SPARE}.weight' 3",
            "pulumi config set fallback serverless",
        ),
    ],
    "docs/integrated.md": [
        *sets("pulumi config set --secret inference_api_key --stack integrated", answer=KEY),
        plans("./seamless plan integrated", "integrated: integrated, serverless", "functions-api"),
        *sets("pulumi config set page_url https://docs.example.org/ --stack integrated"),
        *sets(
            "pulumi config set --secret log_destinations "
            """'[{"name": "logs", "logtail": {"token": "TOKEN"}}]' --stack integrated"""
        ),
    ],
    "docs/inference-modes.md": [
        plans(
            "./seamless plan integrated --config inference_mode=cluster",
            "integrated: integrated, cluster",
            "model-gateway",
        ),
        *sets("./seamless pulumi config set inference_mode cluster --stack integrated"),
    ],
    "docs/local.md": [
        *sets(
            f"{ELSEWHERE}http://127.0.0.1:11434/v1 --plaintext inference_model=llama3.2",
            f"{ELSEWHERE}http://127.0.0.1:8000/v1 --plaintext inference_model=SERVED_MODEL_NAME",
            f"{ELSEWHERE}https://inference.do-ai.run/v1 "
            "--plaintext inference_model=openai-gpt-oss-120b",
            f"{ELSEWHERE}https://inference.baseten.co/v1 "
            "--plaintext inference_model=openai/gpt-oss-120b",
        ),
        *sets("pulumi config set --secret inference_api_key", answer=KEY),
    ],
    "docs/ci.md": sets("pulumi config set --secret inference_api_key --stack split", answer=KEY),
    "docs/split.md": [
        plans("./seamless plan split", "split: split, serverless", "database-instance"),
        *sets("pulumi config set --secret inference_api_key --stack split", answer=KEY),
        *sets(
            "pulumi config set inference_provider together --stack split",
            "pulumi config set region eu-central-1 --stack split",
            "pulumi config set bucket_name our-documents --stack split",
            "pulumi config set network_peers 10.0.0.0/16,172.31.0.0/16 --stack split",
            "pulumi config set alert_email you@example.com --stack split",
            "pulumi config set environment prod --stack split",
        ),
    ],
    "docs/tear-down.md": [
        Ran(text="./seamless down local", sample="This deletes", answer="y"),
        *sets(
            "./seamless pulumi config set protect false --stack split",
            "./seamless pulumi config rm protect --stack split",
        ),
        Ran(text="./seamless down local", prints=("Stack local has no resources",)),
        Ran(text="./seamless pulumi stack ls", prints=("split",)),
        Ran(text="rm .seamless/passphrase"),
    ],
}
"""The executed lines, in the order of the documents; `local` is up once."""

SET_TOGETHER = {
    "docs/endpoints.md": "local",
    "docs/integrated.md": "integrated",
    "docs/local.md": "local",
    "docs/split.md": "split",
}
"""Documents whose values must be valid together, and their stack."""
