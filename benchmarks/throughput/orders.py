"""What passes between the benchmark and its load tool? An order of requests one way, every request's figures the other."""

from pydantic import Field, model_validator

from router.contract import Frozen


class Ask(Frozen):
    """One request: a prompt, how many tokens the model sees of it, and how many it is to answer."""

    prompt: str
    input_tokens: int = Field(ge=1)
    output_tokens: int = Field(ge=1)


class Order(Frozen):
    """Requests to send: so many at a time (closed loop), or so many a second as they come (open loop, Poisson)."""

    base_url: str
    model: str
    asks: tuple[Ask, ...] = Field(min_length=1)
    concurrency: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, gt=0)
    seed: int = 0

    @model_validator(mode="after")
    def _one_way(self) -> "Order":
        if (self.concurrency is None) == (self.rate is None):
            raise ValueError("an order has a concurrency or a rate, one of them")
        return self


class Answered(Frozen):
    """What vLLM's load tool says of an order, request by request in the order they were sent; seconds, by its own clock.

    A request that failed has its error; its other figures mean nothing then.
    """

    duration: float
    input_lens: tuple[int, ...]
    output_lens: tuple[int, ...]
    ttfts: tuple[float, ...]
    itls: tuple[tuple[float, ...], ...]
    latencies: tuple[float, ...]
    start_times: tuple[float, ...]
    errors: tuple[str, ...]
