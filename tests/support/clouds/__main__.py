"""The program of a plugin: `python -m tests.support.clouds aws`."""

import sys
from importlib import import_module

from tests.support.clouds.provider import serve

if __name__ == "__main__":
    # The engine adds arguments of its own, such as its address.
    serve(import_module(f"tests.support.clouds.{sys.argv[1]}").provider())
