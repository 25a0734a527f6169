"""How do a worker process and whoever started it talk? Frames over a pipe: four bytes of length, then JSON."""

import json
import os
import struct
import sys
from asyncio import StreamReader
from typing import Any, BinaryIO, Final

LENGTH: Final = struct.Struct(">I")
FRAME_BYTES_AT_MOST: Final = 64 * 1024 * 1024


def encode(value: object) -> bytes:
    """Return a frame. Escapes all but ASCII, so that half a surrogate pair crosses too."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> Any:
    """Return the next frame's value; None at the end of the stream. Raises `ValueError` for a frame that is cut or no JSON."""
    head = stream.read(LENGTH.size)
    if not head:
        return None
    if len(head) < LENGTH.size:
        raise ValueError("the frame is cut")
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        raise ValueError("the frame is cut")
    return json.loads(body)


async def next_frame(stream: StreamReader, bytes_at_most: int = FRAME_BYTES_AT_MOST) -> Any:
    """Return the next frame's value. Raises `EOFError` when the other side ended, `ValueError` for a frame that is none."""
    (length,) = LENGTH.unpack(await stream.readexactly(LENGTH.size))
    if length > bytes_at_most:
        raise ValueError("the worker's answer is too long")
    return json.loads(await stream.readexactly(length))


def only_for_frames() -> BinaryIO:
    """Keep stdout for the frames: what a library prints goes to stderr."""
    frames = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return frames
