"""Each way for a provider to fail (`tests/fallback.py`). All is real here but Ray, the engine and the deep scan."""

from collections.abc import Iterator
from contextlib import ExitStack
from time import time

import openai
import pytest

from router.bundle import load_bundle
from serving.door.main import rules_of
from serving.hosted import HostedLane, door_client
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
from tests.serving.conftest import KEY, System
from tests.serving.door.kit import KEY as PERMIT_KEY
from tests.serving.door.kit import open_door, unread
from tests.serving.test_outage import KeeperOfADoor, SmallModel, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("fallback")
    with ExitStack() as stack:
        provider = stack.enter_context(StandIn())
        bundle = load_bundle(a_bundle(folder, provider, stack.enter_context(black_hole())))
        system = System(bundle, folder, keeper=KeeperOfADoor(folder / "state.sqlite", bundle))
        stack.callback(system.keeper.sessions.close)
        stack.callback(system.store.close)
        rules = rules_of(bundle, PERMIT_KEY.public_key())
        door = stack.enter_context(open_door(folder, provider, bundle.lanes["provider"], rules=rules))
        client = door_client(door.socket)
        for name, lane in bundle.lanes.items():
            if lane.hosted is not None:
                system.lanes[name] = HostedLane(lane, lane.hosted, client, PERMIT_KEY, time, unread)  # type: ignore[assignment]
            else:
                system.lanes[name] = SmallModel()  # type: ignore[assignment]
        address = stack.enter_context(served(system, client))
        made = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0, timeout=60)
        yield Setting(address, KEY, provider, stack.enter_context(made))
