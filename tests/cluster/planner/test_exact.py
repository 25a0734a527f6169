from cluster.planner.exact import ExactSteps
from cluster.planner.testing import PlainSteps
from models.exactness import Exact

ALONE = Exact("one request at a time", throughput_factor=1.0, factor_is="assumed")
KERNELS = Exact("batch-invariant kernels", throughput_factor=0.5, factor_is="assumed")


def test_one_at_a_time_costs_the_batch_and_nothing_else() -> None:
    plain = PlainSteps()

    exact = ExactSteps(plain, ALONE)

    assert exact.max_batch == 1
    assert exact.prefill_seconds(100, 0) == plain.prefill_seconds(100, 0)
    assert exact.decode_seconds(1, 500) == plain.decode_seconds(1, 500)
    assert exact.provenance == plain.provenance


def test_kernels_with_a_fixed_order_keep_the_batch_and_take_longer_which_is_assumed() -> None:
    plain = PlainSteps()

    exact = ExactSteps(plain, KERNELS)

    assert (exact.max_batch, exact.kv_capacity_tokens) == (plain.max_batch, plain.kv_capacity_tokens)
    assert exact.prefill_seconds(100, 0) == 2 * plain.prefill_seconds(100, 0)
    assert exact.decode_seconds(8, 500) == 2 * plain.decode_seconds(8, 500)
    assert exact.provenance == "assumed"
