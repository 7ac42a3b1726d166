"""A shared library without what only linkers and debuggers read."""

import struct

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian: both machines that bundles are for
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def trim(content: bytes) -> bytes:
    """Return an ELF file up to the end of its last segment; other content as it is.

    A loader reads segments. Debug information, the symbol table that names functions in a crash
    dump, and the table of sections mostly stand behind the last one. What is left is the wheel's,
    byte for byte, but for the header, which says that there are no sections (System V ABI, "ELF
    Header": `e_shoff`, `e_shnum` and `e_shstrndx` are 0 then).
    """
    if not content.startswith(_MAGIC):
        return content
    _, _, _, _, segments, _, _, _, each, count, _, _, _ = _HEADER.unpack_from(content)
    end = segments + each * count
    for number in range(count):
        _, _, offset, _, _, size, _, _ = _SEGMENT.unpack_from(content, segments + number * each)
        end = max(end, offset + size)
    kept = bytearray(content[:end])
    struct.pack_into("<Q", kept, 40, 0)  # where the sections are
    struct.pack_into("<HH", kept, 60, 0, 0)  # how many, and which has their names
    return bytes(kept)
