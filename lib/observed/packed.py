"""Packed files unpacked in memory, up to a size that is safe: gzip, bzip2, xz, and zip of one file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import IO
from zipfile import BadZipFile, ZipFile

from lib.errors import InputError
from lib.observed.wording import listed

LIMIT = 250_000_000
"""Bytes of a file, packed or unpacked: reading a table takes about nine times as much memory, and 4 GiB must do."""
TOO_LARGE = f"holds more than {LIMIT // 1_000_000} MB: hand over fewer columns, fewer rows, or every second time"
LAYERS = 3
"""How often something packed is looked for inside something packed."""

STREAMS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""Readers by the bytes that packed files begin with."""
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"


def unpack(content: bytes) -> bytes:
    """What is inside, or the content itself where it is not packed (an npz stays one); `InputError` if damaged."""
    try:
        for _ in range(LAYERS):
            inside = _inside(content)
            if inside is content:
                break
            content = inside
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be unpacked ({error}): pack it again") from None
    return content


def _inside(content: bytes) -> bytes:
    for magic, opened in STREAMS.items():
        if content.startswith(magic):
            with opened(BytesIO(content)) as stream:
                return _limited(stream)
    if content.startswith((ZIP, EMPTY_ZIP)):
        return _zipped(content)
    return content


def _limited(stream: IO[bytes]) -> bytes:
    content = stream.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise InputError(TOO_LARGE)
    return content


def _zipped(content: bytes) -> bytes:
    with ZipFile(BytesIO(content)) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        if "xl/workbook.xml" in names or "content.xml" in names:
            raise InputError("is a spreadsheet: save its sheet as CSV and hand that over")
        names = [name for name in names if not name.startswith("__MACOSX") and not name.rsplit("/", 1)[-1].startswith(".")]
        if names and all(name.endswith(".npy") for name in names):
            return content
        if len(names) != 1:
            raise InputError(f"packs {len(names)} files ({listed(names) or 'none'}): pack one table")
        with archive.open(names[0]) as stream:
            return _limited(stream)
