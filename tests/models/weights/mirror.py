"""A hub's file API and an S3 bucket over one folder, by real HTTP, which breaks connections off when told to.

As the hub: `/api/models/ORG/REPO/revision/REV` and `/ORG/REPO/resolve/REV/FILE` with ETag, Range and X-Repo-Commit. As S3 (path style):
ListObjectsV2, HEAD and ranged GET; signatures are not checked.
"""

import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

COMMIT = "c0ffee" + "0" * 34
LARGE = ".safetensors"


@dataclass
class Mirror:
    """What is served, where, how it misbehaves, and what it was asked for."""

    folder: Path
    port: int = 0
    cut_after_bytes: list[int] = field(default_factory=list)
    """After so many bytes of a large file the connection is broken off: one entry an answer, then none."""
    knows_ranges: bool = True
    answers: list[int] = field(default_factory=list)
    """Statuses to answer file requests with, before it serves."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """File and Range header of each request for a file."""
    stop_after_bytes: int | None = None
    """A large file's bytes after which the answer says no more, and keeps the connection."""
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def offsets(self, name: str) -> list[str | None]:
        return [asked for file, asked in self.asked if file == name]


@contextmanager
def serving(folder: Path) -> Iterator[Mirror]:
    mirror = Mirror(folder)
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    mirror.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        mirror.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(http.server.BaseHTTPRequestHandler):
    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        match path.strip("/").split("/"):
            case ["api", "models", "lab", "tiny", "revision", _]:
                self._json(self._hub_listing())
            case ["lab", "tiny", "resolve", revision, *rest]:
                assert revision == COMMIT, "a fetch must not follow a branch that moves"
                self._file("/".join(rest))
            case ["weights"] if query.get("list-type") == ["2"]:
                self._bucket_listing(query.get("prefix", [""])[0])
            case ["weights", *rest]:
                self._file("/".join(rest))
            case _:
                self._empty(404)

    def _hub_listing(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for name in self._names():
            content = (self.mirror.folder / name).read_bytes()
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
            one: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
            if name.endswith(LARGE):
                one["lfs"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
            siblings.append(one)
        return {"id": "lab/tiny", "modelId": "lab/tiny", "sha": COMMIT, "siblings": siblings}

    def _bucket_listing(self, prefix: str) -> None:
        keys = [name for name in self._names() if name.startswith(prefix)]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{(self.mirror.folder / key).stat().st_size}</Size>"
            '<LastModified>2026-11-24T18:00:00.000Z</LastModified><ETag>"e"</ETag></Contents>'
            for key in keys
        )
        self._body(
            f'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>'.encode(),
            "application/xml",
        )

    def _file(self, name: str) -> None:
        file, asked = self.mirror.folder / name, self.headers.get("Range")
        if self.command == "GET":
            self.mirror.asked.append((name, asked))
        if not file.is_file():
            self._empty(404)
            return
        if self.mirror.answers and self.command == "GET":
            self._empty(self.mirror.answers.pop(0))
            return
        content = file.read_bytes()
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked and self.mirror.knows_ranges else 0
        self.send_response(206 if asked and self.mirror.knows_ranges else 200)
        if asked and self.mirror.knows_ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Last-Modified", "Tue, 24 Nov 2026 18:00:00 GMT")
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self._send(name, content[start:])

    def _send(self, name: str, content: bytes) -> None:
        large = name.endswith(LARGE)
        if large and self.mirror.stop_after_bytes is not None:
            self.wfile.write(content[: self.mirror.stop_after_bytes])
            self.wfile.flush()
            self.mirror.stopped.wait(60)
            self.close_connection = True
        elif large and self.mirror.cut_after_bytes:
            self.wfile.write(content[: self.mirror.cut_after_bytes.pop(0)])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.wfile.write(content)

    def _names(self) -> list[str]:
        files = (path for path in self.mirror.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.mirror.folder).as_posix() for path in files)

    def _json(self, value: object) -> None:
        self._body(json.dumps(value).encode(), "application/json")

    def _body(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """A test's output is not a server's log."""
