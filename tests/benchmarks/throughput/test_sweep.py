"""Levels are measured one after another, until more load brings no more throughput."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks.throughput.lengths import Around, Shape
from benchmarks.throughput.orders import Answered, Order
from benchmarks.throughput.prompts import Prompter, WordsUnknown
from benchmarks.throughput.run import Run, levels_to_measure
from benchmarks.throughput.slo import parse_terms
from benchmarks.throughput.sweep import (
    Level,
    LevelFailed,
    Measured,
    Server,
    Sweep,
    doublings,
    on_the_plateau,
    rates_to_the_knee,
)
from tests.benchmarks.throughput.runs import a_point, a_sample

TEMPLATE = 31


class SteadyServer:
    """A load tool and a server in one: `width` requests at a time, each a second, the others wait."""

    def __init__(self, width: int, error: str = "", failing: int | None = None) -> None:
        """`failing`: how many of an order's requests end with the error; all by default."""
        self._width, self._error, self._failing = width, error, failing
        self.orders: list[Order] = []

    def send(self, order: Order, ended: Callable[[], None]) -> Answered:
        self.orders.append(order)
        count = len(order.asks)
        streams = min(order.concurrency or count, count)
        round_seconds = max(1.0, streams / self._width)
        for _ in order.asks:
            ended()
        return Answered(
            duration=count / streams * round_seconds,
            input_lens=tuple(ask.input_tokens for ask in order.asks),
            output_lens=tuple(ask.output_tokens for ask in order.asks),
            ttfts=(round_seconds / 10,) * count,
            itls=((0.01, 0.02),) * count,
            latencies=(round_seconds,) * count,
            start_times=tuple(index // streams * round_seconds for index in range(count)),
            errors=tuple("" if self._failing is not None and n >= self._failing else self._error for n in range(count)),
        )


@pytest.fixture(scope="module")
def prompter(tmp_path_factory: pytest.TempPathFactory) -> Prompter:
    return Prompter(folder_with_words(tmp_path_factory.mktemp("model"), everyday=True))


def folder_with_words(folder: Path, *, everyday: bool) -> Path:
    """A tokenizer of whole words."""
    from benchmarks.throughput.prompts import _WORDS

    words = ("of", "what", "is", "the", "story", "about", ".", "?", *(_WORDS if everyday else ()))
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0} | {word: n for n, word in enumerate(dict.fromkeys(words), 1)}))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def sweep_of(server: SteadyServer, prompter: Prompter, slo: str = "") -> Sweep:
    return Sweep(server, Server("http://x", "private", "m", TEMPLATE, lambda: None), prompter, parse_terms(slo), seed=1)


def shapes_for(level: Level) -> tuple[Shape, ...]:
    return (Shape(100, 20),) * level.requests


def test_a_level_gives_throughput_of_its_steady_part(prompter: Prompter) -> None:
    level = Level(concurrency=4)

    point = (
        sweep_of(SteadyServer(width=8), prompter, "ttft_p95=1s").measure(level, shapes_for(level), lambda: None).point
    )

    assert point.output_tokens_per_second == pytest.approx(4 * 20)
    assert (point.concurrency, point.requests, point.failed) == (4, 12, 0)
    assert point.goodput_requests_per_second == pytest.approx(4)
    assert point.slo_met is True
    assert len(point.shapes) == level.requests


def test_past_the_servers_width_more_streams_bring_only_waiting(prompter: Prompter) -> None:
    sweep = sweep_of(SteadyServer(width=4), prompter)
    points = []

    for streams in doublings(64):
        points.append(sweep.measure(Level(concurrency=streams), shapes_for(Level(concurrency=streams)), int).point)
        if on_the_plateau(points):
            break

    assert [point.concurrency for point in points] == [1, 2, 4, 8, 16]


def test_rates_go_up_to_what_is_answered_at_the_knee(prompter: Prompter) -> None:
    """Four at a time, a second each: four requests a second are the most."""
    sweep = sweep_of(SteadyServer(width=4), prompter)
    points = [
        sweep.measure(Level(concurrency=streams), shapes_for(Level(concurrency=streams)), int).point
        for streams in (1, 2, 4, 8)
    ]

    assert rates_to_the_knee(points, 4) == tuple(Level(rate=rate) for rate in (1, 2, 3, 3.6))
    assert rates_to_the_knee(points, None) == ()


@pytest.mark.parametrize(
    ("own", "rates"), [((), [0.95, 1.9, 2.8, 3.4]), ((Level(rate=0.7),), [0.7])], ids=["none of one's own", "one's own"]
)
def test_a_sweep_ends_with_rates(prompter: Prompter, own: tuple[Level, ...], rates: list[float]) -> None:
    """The knee is at 95% of the plateau: 3.8 at once, and as many a second."""
    sweep, done = sweep_of(SteadyServer(width=4), prompter), list[Measured]()
    closed = [Level(concurrency=streams) for streams in doublings(64)]
    run = Run("m", "lane", Around(100, 20, 0), [*closed, *own], sweep=True)

    for level in levels_to_measure(run, done):
        done.append(sweep.measure(level, shapes_for(level), int))

    assert [one.point.concurrency for one in done if one.point.rate is None] == [1, 2, 4, 8, 16]
    assert [one.point.rate for one in done if one.point.rate is not None] == rates


def test_no_prompt_is_sent_twice_and_each_is_as_long_as_asked(prompter: Prompter) -> None:
    server = SteadyServer(width=8)
    sweep = sweep_of(server, prompter)

    for streams in (2, 4):
        sweep.measure(Level(concurrency=streams), shapes_for(Level(concurrency=streams)), int)

    prompts = [ask.prompt for order in server.orders for ask in order.asks]
    assert len(set(prompts)) == len(prompts)
    assert {len(prompt.replace(".", " .").replace("?", " ?").split()) for prompt in prompts} == {100 - TEMPLATE}


def test_the_same_seed_sends_the_same_prompts(prompter: Prompter) -> None:
    servers = SteadyServer(width=8), SteadyServer(width=8)

    for server in servers:
        sweep_of(server, prompter).measure(Level(concurrency=2), shapes_for(Level(concurrency=2)), int)

    assert servers[0].orders == servers[1].orders


def test_a_level_that_mostly_fails_says_why(prompter: Prompter) -> None:
    level = Level(rate=2.0)

    with pytest.raises(LevelFailed, match="Service Unavailable"):
        sweep_of(SteadyServer(width=8, error="Service Unavailable"), prompter).measure(level, shapes_for(level), int)


@pytest.mark.parametrize(("failing", "met"), [(0, True), (1, True), (4, False)])
def test_a_level_that_fails_more_often_than_its_percentile_allows_misses_it(
    prompter: Prompter, failing: int, met: bool
) -> None:
    level = Level(rate=2.0)
    server = SteadyServer(width=40, error="Service Unavailable", failing=failing)

    point = sweep_of(server, prompter, "ttft_p95=1s").measure(level, shapes_for(level), int).point

    assert (point.failed, point.slo_met) == (failing, met)


def test_a_tokenizer_without_plain_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WordsUnknown):
        Prompter(folder_with_words(tmp_path, everyday=False))


def test_a_curve_that_still_rises_is_no_plateau() -> None:
    rising = [a_point([a_sample()], level, speed) for level, speed in ((1, 10.0), (2, 19.0), (4, 30.0))]

    assert not on_the_plateau(rising)
    assert list(doublings(6)) == [1, 2, 4, 6]
