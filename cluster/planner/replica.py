"""What does one engine do next? vLLM's v1 scheduler, step by step: decodes first, then prompts in chunks up to the token budget.

A step gives every running sequence one token and reads prompts with what is left of the budget. Waiting requests are taken in
order of priority, then arrival; the first that does not fit holds back the rest. Where blocks run out, the latest of the lowest
priority starts over ("preemption by recompute"). While nothing joins, ends or runs out, all steps are alike but for their growing
contexts: they are taken together, as one span.

Where this differs from the engine: a prompt's blocks are all taken when it is admitted (vLLM looks that they fit, and takes them chunk by
chunk), and the blocks of an answer are not kept for later prompts.
"""

import heapq
import math
from collections.abc import Sequence as Many
from dataclasses import dataclass

from cluster.planner.kv import KvBlocks
from cluster.planner.load import Request
from cluster.planner.spans import Sequence, Span
from cluster.planner.steps import StepTimes

SPAN_STEPS = 128
"""Steps taken together at most: between its ends a span's step time is taken to grow evenly with the contexts."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What the engine was started with: vLLM's `block_size` and `max_num_batched_tokens` (8192 is its default on an H100)."""

    block_tokens: int = 16
    max_batched_tokens: int = 8192


class Replica:
    """One engine. `span` is what it is doing now; None: nothing."""

    def __init__(self, times: StepTimes, limits: EngineLimits, prefix_block_tokens: int) -> None:
        self._times = times
        self._limits = limits
        self._block = limits.block_tokens
        self._prefix_tokens = prefix_block_tokens
        self._max_sequences = min(times.max_batch, limits.max_batched_tokens)
        self.kv = KvBlocks(times.kv_capacity_tokens // self._block, prefix_block_tokens // self._block)
        self.span: Span | None = None
        self.waiting: list[tuple[int, float, int, Sequence]] = []
        self._reading: list[Sequence] = []
        self._decoding: dict[int, Sequence] = {}
        self._finishing: list[tuple[int, int, Sequence]] = []
        # How many decoding sequences need a new block at a step of this number modulo the block's length.
        self._growing = [0] * self._block
        self._step = 0
        self._context_tokens = 0
        self.gaps: list[tuple[float, int]] = []  # seconds between tokens of an answer, and how many such gaps
        self.busy_seconds = 0.0
        self.kv_block_seconds = 0.0
        self.kv_peak_blocks = 0
        self.batch_seconds = 0.0
        self.read_tokens = 0
        self.written_tokens = 0
        self.preemptions = 0
        self.waiting_peak = 0
        self.accepted = 0

    @property
    def outstanding(self) -> int:
        """Requests that are here and not finished."""
        return len(self.waiting) + len(self._reading) + len(self._decoding)

    def can_ever_hold(self, request: Request) -> bool:
        """Say whether the cache is large enough for this request alone."""
        return self._blocks(request.prompt_tokens + request.output_tokens) <= self.kv.capacity

    def accept(self, sequence: Sequence, now: float) -> None:
        """Queue a request; it is looked at when the step under way ends."""
        self.accepted += 1
        heapq.heappush(self.waiting, (*sequence.turn, sequence))
        self.waiting_peak = max(self.waiting_peak, len(self.waiting))
        if self.span is None:
            self._plan(now)
        elif self.span.steps > 1 and self.waiting[0][3] is sequence and self._admissible(sequence) is not None:
            self.span = self.span.cut(now)

    def finish(self) -> list[Sequence]:
        """End the span under way, begin the next one, and return the requests that are answered."""
        span = self.span
        assert span is not None
        now = span.ends_seconds
        self._account(span)
        self._step += span.steps
        ended = self._end_decodes(now)
        for sequence, tokens in span.chunks:
            self._read_on(sequence, tokens)
            if sequence.read == sequence.to_read and self._first_token(sequence, now):
                ended.append(sequence)
        self._plan(now)
        return ended

    # ------------------------------------------------------------------ one step

    def _plan(self, now: float) -> None:
        preempted = self._grow(now)
        chunks = self._next_chunks(now, may_admit=not preempted)
        batch = len(self._decoding)
        if not chunks and not batch:
            assert not self.waiting, "an empty engine takes any request that it can ever hold"
            self.span = None
            return
        seconds = self._times.decode_seconds(batch, self._context_tokens) if batch else 0.0
        if chunks:
            self.span = Span(now, 1, seconds + self._prefill_seconds(chunks), 0.0, chunks)
            return
        steps = 1 if preempted else self._steps_alike()
        last = self._times.decode_seconds(batch, self._context_tokens + (steps - 1) * batch) if steps > 1 else seconds
        self.span = Span(now, steps, seconds, last)

    def _grow(self, now: float) -> bool:
        """Take the blocks that the next decode needs; return whether somebody had to make room."""
        preempted = False
        while (needed := self._growing[self._step % self._block]) > self.kv.available:
            self._preempt(max((*self._decoding.values(), *self._reading), key=lambda running: running.turn), now)
            preempted = True
        self.kv.take(needed)
        return preempted

    def _next_chunks(self, now: float, *, may_admit: bool) -> tuple[tuple[Sequence, int], ...]:
        budget = self._limits.max_batched_tokens - len(self._decoding)
        chunks = []
        for sequence in self._reading:
            if budget <= 0:
                break
            chunks.append((sequence, min(sequence.to_read - sequence.read, budget)))
            budget -= chunks[-1][1]
        while may_admit and budget > 0 and self.waiting:
            sequence = self.waiting[0][3]
            hits = self._admissible(sequence)
            if hits is None:
                break
            heapq.heappop(self.waiting)
            self._admit(sequence, hits, now)
            chunks.append((sequence, min(sequence.to_read - sequence.read, budget)))
            budget -= chunks[-1][1]
        return tuple(chunks)

    def _prefill_seconds(self, chunks: Many[tuple[Sequence, int]]) -> float:
        """Price the chunks of a step as one prompt with the same number of pairs for attention to look at."""
        tokens = sum(count for _, count in chunks)
        pairs = sum(count * (sequence.read + count / 2) for sequence, count in chunks)
        return self._times.prefill_seconds(tokens, max(0, round(pairs / tokens - tokens / 2)))

    def _steps_alike(self) -> int:
        """Count the steps until a sequence ends or the blocks run out, this one included."""
        while self._finishing[0][2].finish_step != self._finishing[0][0]:
            heapq.heappop(self._finishing)  # It was preempted since.
        steps = min(self._finishing[0][0] - self._step, SPAN_STEPS)
        room = self.kv.available
        rounds = min(room // len(self._decoding), steps // self._block)
        alike, room = 1 + rounds * self._block, room - rounds * len(self._decoding)
        while alike < steps and (needed := self._growing[(self._step + alike) % self._block]) <= room:
            room -= needed
            alike += 1
        return min(alike, steps)

    # ------------------------------------------------------------------ sequences

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._block)

    def _admissible(self, sequence: Sequence) -> int | None:
        """Return how many blocks of its beginning are there already, or None if it can't be admitted now."""
        if len(self._reading) + len(self._decoding) >= self._max_sequences:
            return None
        prefix = sequence.request.prefix
        hits = self.kv.hits(prefix) if prefix else 0
        if hits * self._prefix_tokens >= sequence.to_read:
            hits -= 1  # The last token is always read again: its output is what is asked for.
        needed = self._blocks(sequence.to_read) - hits * self.kv.per_prefix
        return hits if self.kv.fits(needed, prefix, hits) else None

    def _admit(self, sequence: Sequence, hits: int, now: float) -> None:
        sequence.held = list(sequence.request.prefix[:hits])
        self.kv.hold(sequence.held)
        sequence.own_blocks = self._blocks(sequence.to_read) - hits * self.kv.per_prefix
        self.kv.take(sequence.own_blocks)
        sequence.read = hits * self._prefix_tokens
        if math.isnan(sequence.admitted_seconds):
            sequence.admitted_seconds = now
            sequence.cached_tokens = sequence.read
        self._reading.append(sequence)

    def _read_on(self, sequence: Sequence, tokens: int) -> None:
        sequence.read += tokens
        self.read_tokens += tokens
        whole = min(sequence.read // self._prefix_tokens, len(sequence.request.prefix))
        while len(sequence.held) < whole and self.kv.publish(sequence.request.prefix[len(sequence.held)]):
            sequence.held.append(sequence.request.prefix[len(sequence.held)])
            sequence.own_blocks -= self.kv.per_prefix

    def _first_token(self, sequence: Sequence, now: float) -> bool:
        """Let a sequence whose prompt is read join the decodes; return whether its one token was its last."""
        self._reading.remove(sequence)
        if math.isnan(sequence.first_token_seconds):
            sequence.first_token_seconds = now
        else:
            self.gaps.append((now - sequence.last_token_seconds, 1))
        sequence.generated += 1
        self.written_tokens += 1
        if sequence.generated == sequence.request.output_tokens:
            self._leave(sequence, sequence.own_blocks)
            sequence.ended_seconds = now
            return True
        sequence.joined_step = self._step
        sequence.finish_step = self._step + sequence.request.output_tokens - sequence.generated
        self._decoding[sequence.number] = sequence
        self._context_tokens += sequence.to_read
        self._growing[(self._step - sequence.to_read) % self._block] += 1
        heapq.heappush(self._finishing, (sequence.finish_step, sequence.number, sequence))
        return False

    def _end_decodes(self, now: float) -> list[Sequence]:
        ended = []
        while self._finishing and self._finishing[0][0] <= self._step:
            step, _, sequence = heapq.heappop(self._finishing)
            if sequence.finish_step != step:
                continue  # It was preempted since.
            self._stop_decoding(sequence)
            sequence.ended_seconds = now
            ended.append(sequence)
        return ended

    def _stop_decoding(self, sequence: Sequence) -> None:
        decoded = self._step - sequence.joined_step
        tokens = sequence.to_read + decoded
        sequence.generated += decoded
        sequence.finish_step = -1
        del self._decoding[sequence.number]
        self._context_tokens -= tokens
        self._growing[(sequence.joined_step - sequence.to_read) % self._block] -= 1
        self._leave(sequence, self._blocks(tokens) - len(sequence.held) * self.kv.per_prefix)

    def _leave(self, sequence: Sequence, own_blocks: int) -> None:
        self.kv.give_back(own_blocks, sequence.held)
        sequence.own_blocks = 0
        sequence.held = []

    def _preempt(self, sequence: Sequence, now: float) -> None:
        if sequence.number in self._decoding:
            sequence.last_token_seconds = now
            self._stop_decoding(sequence)
        else:
            self._reading.remove(sequence)
            self._leave(sequence, sequence.own_blocks)
        sequence.to_read = sequence.request.prompt_tokens + sequence.generated
        sequence.read = 0
        sequence.preemptions += 1
        self.preemptions += 1
        heapq.heappush(self.waiting, (*sequence.turn, sequence))
        self.waiting_peak = max(self.waiting_peak, len(self.waiting))

    def _account(self, span: Span) -> None:
        """Write down what a span was, and take the blocks that its later steps needed."""
        seconds = span.ends_seconds - span.starts_seconds
        batch = len(self._decoding)
        if batch:
            self.gaps.append((seconds / span.steps, batch * span.steps))
        rounds, rest = divmod(span.steps - 1, self._block)
        later = rounds * batch + sum(self._growing[(self._step + 1 + step) % self._block] for step in range(rest))
        self.kv.take(later)
        self._context_tokens += batch * span.steps
        self.written_tokens += batch * span.steps
        self.kv_peak_blocks = max(self.kv_peak_blocks, self.kv.used)
        self.kv_block_seconds += self.kv.used * seconds
        self.batch_seconds += (batch + len(span.chunks)) * seconds
        self.busy_seconds += seconds
