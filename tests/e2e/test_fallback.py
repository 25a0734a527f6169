"""Each way for a provider to fail (`tests/fallback.py`), at the running system: the real door, and the real private lane behind it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import openai
import pytest

from tests.e2e.systems import running_system
from tests.fallback import (  # noqa: F401 - the cases, which pytest finds here
    Setting,
    a_bundle,
    friendly,
    stream,
    test_a_lane_that_fails_again_and_again_is_left_alone_and_found_well_within_one_period,
    test_a_provider_that_is_well_answers,
    test_a_provider_that_says_when_to_come_back_is_asked_again_then,
    test_a_refusal_is_the_answer_unless_the_route_goes_on,
    test_after_the_first_piece_a_stream_ends_in_an_error_and_a_whole_answer_comes_from_the_next_rung,
    test_an_answer_of_the_wrong_shape_is_mended_or_comes_from_the_next_rung,
    test_an_error_in_the_stream_comes_without_the_end_mark,
    test_an_error_that_passes_is_not_seen,
    test_before_the_first_piece_the_client_sees_one_clean_answer_from_our_own_nodes,
    test_what_must_stay_never_reaches_a_provider_whatever_fails,
    test_where_nobody_answers_the_call_goes_on_within_the_time_to_connect,
    test_where_the_route_wants_it_our_own_model_goes_on_with_what_broke_off,
)
from tests.providers.network import black_hole
from tests.providers.stand_in import StandIn

pytestmark = [pytest.mark.e2e, pytest.mark.exam, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with ExitStack() as stack:
        provider = stack.enter_context(StandIn())
        bundle = a_bundle(tmp_path_factory.mktemp("fallback"), provider, stack.enter_context(black_hole()))
        system = stack.enter_context(running_system(bundle, {"OPENAI_API_KEY": provider.key}))
        key = system.key("local/default")
        made = openai.OpenAI(base_url=f"{system.address}/v1", api_key=key, max_retries=0, timeout=120)
        client = stack.enter_context(made)
        deadline = time.monotonic() + 180
        while "provider" not in {model.id for model in client.models.list().data}:
            assert time.monotonic() < deadline, "no hosted lane came on"
            time.sleep(0.5)
        yield Setting(system.address, key, provider, client)
