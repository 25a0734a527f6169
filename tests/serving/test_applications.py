"""A start waits for its models in bounds: one whose node is missing must not end those that serve. Ray Serve is imported: slow."""

import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.bundle import Bundle
from serving.in_service import APP, InService
from serving.roll import DidNotStart
from serving.settings import Settings
from serving.statuses import ApplicationState

pytestmark = pytest.mark.slow
VERSION = InService(bundle_hash="0" * 64, folder=Path("bundle"), models={"a": "model-a", "b": "model-b"}, hosted=False)


def applications_module() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("serving.applications")


def settle(monkeypatch: pytest.MonkeyPatch, states: Mapping[str, str], patience: float = 0.0) -> frozenset[str]:
    applications = applications_module()
    found = {name: ApplicationState(status, "why", {}) for name, status in states.items()}
    monkeypatch.setattr(applications, "application_states", lambda: found)
    fleet = applications.Applications(
        Settings(home=Path("home"), bundle=Path("bundle"), models=Path("models")), _deploy
    )
    settled: frozenset[str] = fleet.wait_until_settled(VERSION, patience)
    return settled


def _deploy(*_: object) -> Bundle:
    raise AssertionError("nothing is deployed here")


def test_all_that_run_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle(monkeypatch, {APP: "RUNNING", "model-a": "RUNNING", "model-b": "RUNNING"}) == frozenset()


def test_one_that_was_given_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {APP: "RUNNING", "model-a": "RUNNING", "model-b": "DEPLOY_FAILED"}

    assert settle(monkeypatch, states, 60.0) == frozenset()


def test_after_its_patience_the_start_goes_on_without_the_one_that_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle(monkeypatch, {APP: "RUNNING", "model-a": "RUNNING", "model-b": "DEPLOYING"}) == {"model-b"}


@pytest.mark.parametrize(
    "states",
    [
        {APP: "RUNNING", "model-a": "DEPLOYING", "model-b": "DEPLOYING"},
        {APP: "RUNNING", "model-a": "DEPLOY_FAILED", "model-b": "DEPLOYING"},
        {APP: "DEPLOYING", "model-a": "RUNNING", "model-b": "DEPLOYING"},
        {"model-a": "RUNNING", "model-b": "RUNNING"},
    ],
)
def test_what_would_answer_nothing_is_waited_for_whatever_the_patience(
    states: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class WaitedOnError(Exception):
        pass

    def wait(_seconds: float) -> bool:
        raise WaitedOnError

    monkeypatch.setattr(applications_module(), "_wait", wait)
    with pytest.raises(WaitedOnError):
        settle(monkeypatch, states)


@pytest.mark.parametrize(
    "states",
    [
        {APP: "RUNNING", "model-a": "DEPLOY_FAILED", "model-b": "DEPLOY_FAILED"},
        {APP: "DEPLOY_FAILED", "model-a": "RUNNING", "model-b": "RUNNING"},
    ],
)
def test_where_nothing_would_answer_the_start_has_failed(
    states: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DidNotStart, match="why"):
        settle(monkeypatch, states)
