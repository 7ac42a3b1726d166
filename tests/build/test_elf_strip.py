"""A shared library without sections is smaller, and loads as before."""

import ctypes
import struct
import sys
from pathlib import Path

import pytest
from obstore import _obstore

from build.elf_strip import trim

LIBRARY = Path(str(_obstore.__file__))  # a wheel's, with its symbol table


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other files than ELF")
def test_a_trimmed_library_loads_and_has_its_exports(tmp_path: Path) -> None:
    whole = LIBRARY.read_bytes()
    trimmed = trim(whole)
    path = tmp_path / "trimmed.so"
    path.write_bytes(trimmed)

    assert len(trimmed) < 0.9 * len(whole)
    assert trimmed[64:] == whole[64 : len(trimmed)]
    assert ctypes.PyDLL(str(path)).PyInit__obstore
    assert trim(trimmed) == trimmed
    # Its header has no sections.
    assert struct.unpack_from("<Q", trimmed, 40) == (0,)
    assert struct.unpack_from("<HH", trimmed, 60) == (0, 0)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01 of 32 bits"])
def test_other_files_do_not_change(content: bytes) -> None:
    assert trim(content) == content
