"""A plugin may watch every event of a run, and cannot disturb it."""

from collections.abc import Callable

import pytest

from anabranch.journal.events import DriverEnded, Event
from anabranch.model.ids import RunId
from anabranch.plugins import Registry

Install = Callable[..., None]

RUN = RunId("20261124-035512-k7qf3")
EVENT = DriverEnded(at=1.0, reason="interrupted")

WATCHER = """
from anabranch.plugins import hookimpl
ANABRANCH_API = 1
seen = []

@hookimpl
def anabranch_event_recorded(run, number, event):
    seen.append((run, number, event))
"""
FAILING = WATCHER.replace("seen.append", "raise OSError('disk full')\n    seen.append")


def seen(registry: Registry, plugin: str) -> list[tuple[RunId, int, Event]]:
    (found,) = [item for item in registry.plugins if item.name == plugin]
    return list(vars(found.module)["seen"])


def test_a_plugin_is_told_of_every_event_with_its_run_and_number(install: Install) -> None:
    install("watcher", WATCHER)
    registry = Registry.installed()

    (observer,) = registry.observers(RUN)
    observer(1, EVENT)
    observer(2, EVENT)

    assert seen(registry, "watcher") == [(RUN, 1, EVENT), (RUN, 2, EVENT)]


def test_a_hook_may_take_only_the_arguments_that_it_wants(install: Install) -> None:
    install("watcher", WATCHER.replace("run, number, event):", "number):\n    run = event = 0"))
    registry = Registry.installed()

    (observer,) = registry.observers(RUN)
    observer(7, EVENT)

    assert vars(registry.plugins[-1].module)["seen"] == [(0, 7, 0)]


def test_without_a_watching_plugin_there_is_nothing_to_tell(install: Install, toy: str) -> None:
    install("toy", toy)

    assert Registry.installed().observers(RUN) == []


def test_an_observer_that_fails_is_told_no_more_and_the_others_are(install: Install) -> None:
    install("failing", FAILING)
    install("watcher", WATCHER)
    registry = Registry.installed()
    observers = registry.observers(RUN)

    def tell(number: int) -> None:
        for observer in observers:
            observer(number, EVENT)

    with pytest.warns(RuntimeWarning, match=r"plugin 'failing' of failing 1\.0: told no more of"):
        tell(1)
    tell(2)

    assert [number for _, number, _ in seen(registry, "watcher")] == [1, 2]


def test_an_observer_that_fails_raises_nothing_even_where_warnings_are_errors(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    """This test suite makes every warning an error."""
    install("failing", FAILING)

    (observer,) = Registry.installed().observers(RUN)
    observer(1, EVENT)

    assert "OSError: disk full" in capsys.readouterr().err
