import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files.tool_sources import OpenApiSource
from router.errors import ToolArgumentsInvalid, ToolFailed, ToolTimeout
from serving.tools.http import built, request
from serving.tools.reach import Elsewhere, check_address

WORDS = st.one_of(
    st.text(), st.sampled_from(["..", "/../x", "//evil.example", "?a=b", "#", "\\", "@evil.example", "a/b"])
)


class Service(BaseHTTPRequestHandler):
    """Answers by path; keeps what it was asked."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def _say(self) -> None:
        length = int(self.headers.get("content-length", 0))
        Service.asked.append(
            {"path": self.path, "headers": dict(self.headers), "body": self.rfile.read(length).decode()}
        )
        status, body = 200, b'{"ok":true}'
        if self.path.startswith("/api/moved"):
            status, body = 302, b""
        elif self.path.startswith("/api/missing"):
            status, body = 404, b"no such thing"
        elif self.path.startswith("/api/broken"):
            status, body = 503, b""
        elif self.path.startswith("/api/long"):
            body = b"x" * 2_000_000
        elif self.path.startswith("/api/slow"):
            threading.Event().wait(1.0)
        self.send_response(status)
        if status == 302:
            self.send_header("location", "http://127.0.0.1:1/stolen")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return

    do_GET = do_POST = _say  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def base() -> Iterator[str]:
    Service.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def source(base_url: str = "https://desk.example/api", path: str = "/tickets/{id}", **changes: Any) -> OpenApiSource:
    fields = {"base_url": base_url, "operation": "op", "method": "get", "path": path} | changes
    return OpenApiSource.model_validate(fields)


def asked(one: OpenApiSource, seconds: float = 5.0, secret: str | None = None, **arguments: Any) -> Any:
    return asyncio.run(request("t", one, arguments, "key-1", secret, seconds))


@given(WORDS, WORDS)
def test_no_argument_changes_where_a_call_goes(segment: str, word: str) -> None:
    one = source(path_parameters=["id"], query=["q"])
    try:
        url = built("t", one, {"id": segment, "q": word}, "k").url
    except (ToolArgumentsInvalid, UnicodeEncodeError):
        return

    assert url.startswith("https://desk.example/api/tickets/")
    assert url.partition("?")[0].count("/") == 5
    assert "/.." not in url.partition("?")[0]


def test_arguments_go_where_the_file_says() -> None:
    one = source(
        method="post",
        path_parameters=["id"],
        query=["expand"],
        headers=["X-Version"],
        body="json",
        idempotency_header="Idempotency-Key",
        fixed_headers={"X-Api": "3"},
    )

    request_ = built("t", one, {"id": 7, "expand": ["a", "b"], "X-Version": "2", "text": "hi"}, "key-1")

    assert request_.url == "https://desk.example/api/tickets/7?expand=a&expand=b"
    assert request_.content == b'{"text":"hi"}'
    assert (request_.headers["X-Version"], request_.headers["Idempotency-Key"], request_.headers["X-Api"]) == (
        "2",
        "key-1",
        "3",
    )


def test_a_form_spells_nested_values_as_its_servers_read_them() -> None:
    one = source(method="post", path="/charges", body="form")

    request_ = built("t", one, {"amount": 5, "card": {"number": "4"}, "items": [{"sku": "a"}]}, "k")

    assert request_.content == b"amount=5&card%5Bnumber%5D=4&items%5B0%5D%5Bsku%5D=a"


def test_a_header_can_t_be_split() -> None:
    with pytest.raises(ToolArgumentsInvalid):
        built("t", source(path="/x", headers=["X-A"]), {"X-A": "a\r\nHost: evil"}, "k")


@pytest.mark.parametrize(
    ("base_url", "networks", "address", "allowed"),
    [
        ("https://desk.example", (), "93.184.216.34", True),
        ("https://desk.example", (), "169.254.169.254", False),
        ("https://desk.example", (), "10.0.0.5", False),
        ("https://desk.example", (), "127.0.0.1", False),
        ("https://desk.example", (), "::1", False),
        ("https://desk.example", ("10.0.0.0/8",), "10.0.0.5", True),
        ("https://desk.example", ("10.0.0.0/8",), "93.184.216.34", False),
        ("http://127.0.0.1:9", (), "127.0.0.1", True),
        ("http://localhost:9", (), "10.0.0.5", False),
    ],
)
def test_a_name_leads_to_a_public_address_or_a_listed_one(
    base_url: str, networks: tuple[str, ...], address: str, allowed: bool
) -> None:
    listed = [ip_network(one) for one in networks]

    if allowed:
        check_address(base_url, listed, address)
    else:
        with pytest.raises(Elsewhere):
            check_address(base_url, listed, address)


@pytest.mark.parametrize(
    "url", ["http://desk.example", "ftp://x", "https://u:p@desk.example", "https://desk.example/?q=1"]
)
def test_an_address_that_others_can_read_or_that_hides_something_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        source(base_url=url)


def test_a_real_service_is_asked_with_its_credential(base: str) -> None:
    one = source(base, path="/things", credential={"env": "DESK_TOKEN"})

    answer = asked(one, secret="s3cret")

    assert (answer.text, answer.ended) == ('{"ok":true}', "answered")
    assert Service.asked[0]["headers"]["Authorization"] == "Bearer s3cret"


def test_without_its_credential_nothing_is_sent(base: str) -> None:
    with pytest.raises(ToolFailed, match="DESK_TOKEN"):
        asked(source(base, path="/things", credential={"env": "DESK_TOKEN"}))

    assert Service.asked == []


def test_what_it_does_not_have_is_an_answer(base: str) -> None:
    answer = asked(source(base, path="/missing"))

    assert (answer.ended, answer.text) == ("declined", "404: no such thing")


@pytest.mark.parametrize(("path", "because"), [("/moved", "redirects"), ("/broken", "503"), ("/long", "longer")])
def test_a_redirect_an_outage_and_an_answer_without_end_are_failures(base: str, path: str, because: str) -> None:
    with pytest.raises(ToolFailed, match=because):
        asked(source(base, path=path))

    assert len(Service.asked) == 1


def test_a_slow_service_is_left(base: str) -> None:
    with pytest.raises(ToolTimeout):
        asked(source(base, path="/slow"), seconds=0.2)


def test_an_address_that_is_not_listed_is_hung_up_on(base: str) -> None:
    with pytest.raises(ToolFailed, match="address"):
        asked(source(base, path="/things", addresses=["10.0.0.0/8"]))

    assert Service.asked == []
