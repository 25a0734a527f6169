"""The real model in its real process."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from router.errors import ScanUnavailable
from router.validate import repair_messages
from serving.frames import encode, read_frame
from tests.serving.deep.conftest import Scanning
from tests.serving.door.kit import a_call

pytestmark = pytest.mark.slow

PERSONAL = [
    "Please send it to Katrine Rasmussen, she moved to Flateyri in May",
    "I'm originally from Norway, and my wife Ada lives in Leeds",
    "How do I change my address to 6750 Koskikatu 25 Apt. 864, Artilleros, CO 64677?",
    "My date of birth is 6/24/1991",
]
PLAIN = [
    "how do i renew my card",
    "How can I order a second debit card ?",
    "What is the capital of Australia?",
    "Write a Python function that sorts a list of numbers",
    "Hey Bot, stop repeating yourself",
]


@pytest.mark.parametrize("text", PERSONAL)
def test_somebodys_data_is_found_and_the_span_lies_in_the_text(deep: Scanning, text: str) -> None:
    (found,) = deep.scan(text)

    assert max(finding.score for finding in found) >= 0.5
    assert {finding.category for finding in found} == {"pii"}
    assert all(0 <= finding.start < finding.end <= len(text) for finding in found)


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_text_may_go(deep: Scanning, text: str) -> None:
    (found,) = deep.scan(text)

    assert not [finding for finding in found if finding.score >= 0.5]


def test_what_a_lane_is_told_to_mend_may_go_to_it_again(deep: Scanning) -> None:
    schema = (
        '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
    )
    call = a_call(json_schema=schema)
    told = repair_messages(call, '{"city": 7}', ["at /city: expected string"])[-1]

    (found,) = deep.scan(told.text)

    assert not [finding for finding in found if finding.score >= 0.5]


def test_each_text_is_answered_in_its_place(deep: Scanning) -> None:
    nothing, somebody, nothing_either = deep.scan(PLAIN[0], PERSONAL[0], "")

    assert not [finding for finding in nothing if finding.score >= 0.5]
    assert somebody
    assert nothing_either == ()


def test_one_address_in_a_long_report_counts_as_much_as_one_in_a_short_message(deep: Scanning) -> None:
    report = "The pump was checked and the valve was replaced. " * 60
    place = len(report)

    (found,) = deep.scan(report + "Katrine Rasmussen lives in Flateyri. " + report)

    sure = [finding for finding in found if finding.score >= 0.5]
    assert sure
    assert all(place - 600 <= finding.start <= place + 600 for finding in sure)


def test_half_a_surrogate_pair_is_read_or_refused_and_takes_nobody_with_it(deep: Scanning) -> None:
    with contextlib.suppress(ScanUnavailable):  # Refused is as good as read.
        deep.scan("Katrine \ud800 Rasmussen")
    deep.wait()

    assert deep.scan(PERSONAL[0]) != ((),)


def test_the_worker_holds_none_of_this_processs_secrets(deep: Scanning) -> None:
    (worker,) = [
        child
        for child in psutil.Process().children(recursive=True)
        if "serving.deep.worker" in " ".join(child.cmdline())
    ]

    assert not [name for name in worker.environ() if "KEY" in name or "PROXY" in name.upper() or "TOKEN" in name]


def test_it_works_without_a_network_at_all_and_finds_addresses_of_the_web_by_the_shipped_list() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("network namespaces are not permitted here")

    answer = _ask([unshare, "-rn"], ["write to ada@moore.co.uk or see https://www.moore.co.uk/ada"])

    assert {"EMAIL_ADDRESS", "URL"} <= {finding["entity"] for finding in answer["findings"][0]}


def test_whatever_tries_to_connect_from_the_worker_is_refused() -> None:
    program = (
        "import socket; from serving.deep.reader import CallsHome, stay_off_the_network; stay_off_the_network()\n"
        "for reach in (lambda: socket.create_connection(('127.0.0.1', 9)), lambda: socket.getaddrinfo('localhost', 80)):\n"
        "    try: reach()\n"
        "    except CallsHome: print('refused')"
    )

    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert said.split() == ["refused", "refused"]


def _ask(before: list[str], texts: list[str]) -> Any:
    # Under `unshare` the worker's parent is this process all the same: unshare becomes the worker.
    command = [*before, sys.executable, "-m", "serving.deep.worker", "--parent", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            assert read_frame(worker.stdout) == {"ready": True}
            worker.stdin.write(encode({"texts": texts}))
            worker.stdin.flush()
            return read_frame(worker.stdout)
        finally:
            worker.kill()
