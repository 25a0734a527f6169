"""What do the engines of a node say that has no ingress? `/metrics` of this machine's processes, on a port of its own.

`lane-metrics.service` runs it. Numbers, and names of models: whoever may reach the port may know them.
"""

import argparse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from serving.api.metrics import exposition


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer `/metrics`, and nothing else."""
        if self.path != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        text, kind = exposition()
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line every fifteen seconds tells nobody anything."""


def server(port: int, host: str = "") -> ThreadingHTTPServer:
    """Return a server that listens; port 0 takes a free one."""
    return ThreadingHTTPServer((host, port), _Answer)


def main() -> None:
    """Listen until ended."""
    parser = argparse.ArgumentParser(prog="serving.api.node_metrics")
    parser.add_argument("--port", type=int, required=True)
    server(parser.parse_args().port).serve_forever()


if __name__ == "__main__":
    main()
