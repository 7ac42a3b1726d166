"""Proves that a model server's answers name the replica that gave them, streams too."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from components.kubernetes.inside.replica import Replica
