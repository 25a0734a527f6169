import threading
from pathlib import Path

import pytest

from cluster.nodes.errors import JoinRefused, NodeTaken, TokenMalformed, TokenUsedUp
from cluster.nodes.register import Register
from cluster.nodes.tokens import JoinToken
from tests.cluster.nodes.heads import Clock

TOKEN = JoinToken.new("ab" * 32)


def certify() -> tuple[str, bytes]:
    return "cd" * 32, b"certificate"


@pytest.fixture
def register(tmp_path: Path) -> Register:
    made = Register(tmp_path / "register.sqlite", Clock())
    made.remember_token(TOKEN, 60, 2)
    return made


def let_in(register: Register, name: str, address: str) -> bytes:
    return register.let_in(TOKEN.id, TOKEN.secret, name, [address, "127.0.0.1"], certify)


def test_a_token_reads_as_it_was_printed_and_nothing_else_is_one() -> None:
    assert JoinToken.parse(f" {TOKEN}\n") == TOKEN
    for text in ("", str(TOKEN)[:-1], str(TOKEN).replace("lane", "LANE"), f"{TOKEN}0"):
        with pytest.raises(TokenMalformed) as refused:
            JoinToken.parse(text)
        assert TOKEN.secret not in str(refused.value)


def test_as_many_are_let_in_as_the_token_was_made_for(register: Register) -> None:
    let_in(register, "a", "10.0.0.1")
    let_in(register, "b", "10.0.0.2")

    with pytest.raises(TokenUsedUp):
        let_in(register, "c", "10.0.0.3")

    assert [node.name for node in register.joined()] == ["a", "b"]


def test_a_refusal_uses_nothing_up(register: Register) -> None:
    def fails() -> tuple[str, bytes]:
        raise OSError("no entropy")

    let_in(register, "a", "10.0.0.1")
    with pytest.raises(NodeTaken, match=r"10\.0\.0\.1 is a's"):
        let_in(register, "b", "10.0.0.1")
    with pytest.raises(OSError, match="entropy"):
        register.let_in(TOKEN.id, TOKEN.secret, "b", ["10.0.0.2"], fails)

    let_in(register, "b", "10.0.0.2")


def test_a_node_that_left_frees_its_name_and_addresses(register: Register) -> None:
    let_in(register, "a", "10.0.0.1")

    assert register.forget("a")
    assert not register.forget("a")
    let_in(register, "a", "10.0.0.1")


def test_of_many_that_ask_at_once_only_as_many_are_let_in(register: Register) -> None:
    outcomes: list[str] = []

    def ask(number: int) -> None:
        try:
            let_in(register, f"n{number}", f"10.0.1.{number}")
            outcomes.append("in")
        except JoinRefused as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["in"] * 2 + ["join_token_used_up"] * 6
