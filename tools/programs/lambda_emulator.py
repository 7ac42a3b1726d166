"""AWS Lambda's runtime interface emulator; its first build takes some ten seconds.

AWS publishes it as a Go module: github.com/aws/aws-lambda-runtime-interface-emulator. It has the
runtime API that a function's process polls, Lambda's timeouts and Lambda's size limits.
"""

from pathlib import Path

from tools.programs.go_programs import GoPrograms

LAMBDA_EMULATOR = GoPrograms(
    name="lambda-emulator",
    what="AWS Lambda's runtime interface emulator",
    module=Path(__file__).parent / "lambda_emulator_module",
    packages="github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie",
    go_minimum=(1, 26, 6),
)
