"""Removal of the parts of a shared library that only linkers and debuggers read."""

import struct

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian, as on both platforms
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def trim(content: bytes) -> bytes:
    """Return an ELF file up to the end of its last segment; other content as it is.

    A loader reads segments. Debug information, the symbol table for crash dumps and the section
    table usually follow the last segment. The rest stays equal byte for byte, except for the
    header, which then has no sections (System V ABI, "ELF Header": `e_shoff`, `e_shnum` and
    `e_shstrndx` are 0).
    """
    if not content.startswith(_MAGIC):
        return content
    _, _, _, _, segments, _, _, _, each, count, _, _, _ = _HEADER.unpack_from(content)
    end = segments + each * count
    for number in range(count):
        _, _, offset, _, _, size, _, _ = _SEGMENT.unpack_from(content, segments + number * each)
        end = max(end, offset + size)
    kept = bytearray(content[:end])
    struct.pack_into("<Q", kept, 40, 0)  # offset of the section table
    struct.pack_into("<HH", kept, 60, 0, 0)  # number of sections, and index of their names
    return bytes(kept)
