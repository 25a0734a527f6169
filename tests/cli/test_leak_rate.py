import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest
import uvicorn
import yaml
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from router.bundle import load_bundle
from router.lane import Stop, TextDelta, Usage
from router.testing import ScriptedLane
from serving.leaks.samples import Samples
from serving.leaks.setting import read_setting
from serving.settings import Settings
from tests.serving.conftest import KEY as API_KEY
from tests.serving.conftest import System
from tests.serving.door.kit import wait_for
from tests.serving.leaks.kit import a_stratum

pytestmark = pytest.mark.slow

STARTER = Path("config/starter")
MISSED = "My sister Ann has leukaemia"


class Desk:
    """A home with samples, and the commands as a judge types them."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home", bundle=STARTER, models=folder)
        self.key = folder / "leaks.key"
        self.port = "8000"

    def lane(self, *arguments: str, typed: str | None = None) -> Result:
        environment = {"LANE_HOME": str(self.settings.home), "LANE_BUNDLE": str(STARTER), "COLUMNS": "200"}
        environment |= {"LANE_PORT": self.port}
        return CliRunner().invoke(app, ["leak-rate", *arguments], input=typed, env=environment)

    def turn_on(self) -> None:
        made = json.loads(self.lane("keygen", "--out", str(self.key), "--json").stdout)
        assert self.lane("on", made["public_key"]).exit_code == 0

    def offer(self, *texts: str, population: str = "left") -> None:
        setting = read_setting(self.settings.leak_sample_file)
        assert setting is not None
        categories = ("pii",) if population == "stayed" else ()
        with closing(
            Samples(self.settings.samples / f"{population}.sqlite", iter(range(len(texts))).__next__)
        ) as samples:
            for text in texts:
                body = orjson.dumps({"messages": [{"role": "user", "content": text}]})
                samples.offer(a_stratum(population, categories=categories), body, "a" * 32, time.time(), setting)

    def lines(self, *arguments: str) -> list[dict[str, object]]:
        result = self.lane(*arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.turn_on()
    return made


def test_from_samples_over_verdicts_to_rates_and_cases(desk: Desk, tmp_path: Path) -> None:
    desk.offer("What is the capital of France?", MISSED)
    desk.offer("My name is Nobody", population="stayed")
    shown = {
        str(line["text"]).removeprefix("user: "): line["sample"] for line in desk.lines("show", "--key", str(desk.key))
    }
    verdicts = [
        {"sample": shown[MISSED], "stays": True, "categories": ["health", "pii"]},
        {"sample": shown["What is the capital of France?"], "stays": False},
        {"sample": shown["My name is Nobody"], "stays": False},
    ]

    judged = desk.lane("judge", "--by", "ann", "--input", "-", typed="\n".join(map(json.dumps, verdicts)))
    rows = {(row["measure"], row["category"]): row for row in desk.lines("report", "--json")}
    out = tmp_path / "cases.jsonl"
    exported = desk.lane("export", "--out", str(out), "--cases", str(tmp_path / "cases.yaml"), "--key", str(desk.key))

    assert judged.exit_code == 0, judged.output
    assert rows["leak", "any"]["rate"] == 0.5
    assert rows["leak", "health"]["judged"] == 2
    assert rows["false_block", "pii"]["rate"] == 1.0
    assert "people's own texts" in exported.stderr
    assert out.stat().st_mode & 0o077 == 0
    cases = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(case["text"], case["stays"]) for case in cases} == {
        (MISSED, True),
        ("My name is Nobody", False),
    }
    assert CliRunner().invoke(app, ["scan", "--input", str(out)]).exit_code == 0
    (case,) = yaml.safe_load((tmp_path / "cases.yaml").read_text())["cases"]
    assert case["request"] == {"org": "acme", "model": "premium", "text": MISSED}
    assert case["expect"] == {"closed": ["premium"]}
    assert desk.lines("show", "--key", str(desk.key)) == []


def test_a_person_is_shown_each_text_and_asked_until_the_answer_is_one(desk: Desk) -> None:
    desk.offer(MISSED, "What is the capital of France?", "Is it raining?")

    result = desk.lane("judge", "--key", str(desk.key), typed="perhaps\ny\nweather\nhea pii\nn\nq\n")

    assert result.exit_code == 0, result.output
    assert MISSED in result.stdout
    (any_leak, health, _, *_) = desk.lines("report", "--json")
    assert (any_leak["judged"], any_leak["wrong"], health["category"]) == (2, 1, "health")


def test_without_the_private_key_nothing_is_shown(desk: Desk, tmp_path: Path) -> None:
    desk.offer(MISSED)
    other = tmp_path / "other.key"
    desk.lane("keygen", "--out", str(other))

    result = desk.lane("show", "--key", str(other))

    assert result.exit_code == 1
    assert MISSED not in result.output
    assert desk.lane("show", "--key", str(tmp_path / "none.key")).exit_code == 2


def test_sampling_is_off_until_it_is_turned_on_and_off_again_at_once(desk: Desk) -> None:
    assert desk.settings.leak_sample_file.exists()

    desk.lane("off")

    assert not desk.settings.leak_sample_file.exists()
    assert desk.lane("on", "no key").exit_code == 2


def test_purging_leaves_no_sample_count_or_verdict(desk: Desk) -> None:
    desk.offer(MISSED)
    (line,) = desk.lines("show", "--key", str(desk.key))
    desk.lane("judge", "--input", "-", typed=json.dumps({"sample": line["sample"], "stays": True}))

    assert desk.lane("purge", typed="n\n").exit_code == 1
    assert desk.lane("purge", "--yes").exit_code == 0

    assert all(row["population"] == 0 for row in desk.lines("report", "--json"))


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        '{"sample": "nowhere", "stays": true}',
        '{"sample": "SAMPLE", "stays": true, "categories": ["weather"]}',
    ],
)
def test_a_verdict_that_is_none_is_bad_input(desk: Desk, line: str) -> None:
    desk.offer(MISSED)
    (shown,) = desk.lines("show", "--key", str(desk.key))

    result = desk.lane("judge", "--input", "-", typed=line.replace("SAMPLE", str(shown["sample"])))

    assert result.exit_code == 2
    assert "line 1" in result.stderr


@contextmanager
def answering(desk: Desk, folder: Path, answer: str) -> Iterator[ScriptedLane]:
    """Serve the whole API, its private lane answering this, on a free port."""
    system = System(load_bundle(STARTER), folder)
    lane = ScriptedLane(lambda _: [(TextDelta(answer), Usage(5, 2), Stop("stop", "w1"))])
    system.lanes["private"] = lane
    desk.settings.keys_file.write_bytes(orjson.dumps({"local/test": API_KEY}))
    server = uvicorn.Server(uvicorn.Config(system.app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: True if server.started else None)
    desk.port = str(server.servers[0].sockets[0].getsockname()[1])
    try:
        yield lane
    finally:
        server.should_exit = True
        thread.join(10)
        system.store.close()
        system.keeper.sessions.close()


def test_a_private_lane_judges_and_a_hosted_one_may_not(desk: Desk, tmp_path: Path) -> None:
    desk.offer(MISSED)
    key = ("--key", str(desk.key))
    with answering(desk, tmp_path, '{"stays": true, "categories": ["health"]}') as lane:
        hosted = desk.lane("judge", *key, "--model", "premium")
        judged = desk.lane("judge", *key, "--model", "private")

    assert hosted.exit_code == 2
    assert "no private lane" in hosted.stderr
    assert judged.exit_code == 0, judged.output
    (call,) = lane.calls
    assert MISSED in call.messages[-1].text
    assert call.label.level == "restricted"
    assert desk.lines("report", "--json")[0]["wrong"] == 1


def test_a_model_that_answers_something_else_gives_no_verdict(desk: Desk, tmp_path: Path) -> None:
    desk.offer(MISSED)
    with answering(desk, tmp_path, "I would say yes"):
        judged = desk.lane("judge", "--key", str(desk.key), "--model", "private")

    assert judged.exit_code == 1
    assert desk.lines("report", "--json")[0]["judged"] == 0
