"""Plugins are found by entry point, and what is wrong with one concerns that one alone."""

from collections.abc import Callable

import pytest

from anabranch.errors import StackError
from anabranch.plugins import Registry
from anabranch.plugins.discovery import Found, discover

Install = Callable[..., None]


def names(found: Found) -> list[str]:
    return [plugin.name for plugin in found.plugins]


def test_an_installed_plugin_is_found_with_its_distribution_and_version(
    install: Install, toy: str
) -> None:
    install("toy-dist", toy, plugin="toy", version="2.5")

    (plugin,) = [plugin for plugin in discover().plugins if plugin.name == "toy"]

    assert plugin.distribution == "toy-dist 2.5"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_sdk", "ModuleNotFoundError: No module named 'no_such_sdk'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("", "it does not say its interface version: add ANABRANCH_API = 1"),
        ("ANABRANCH_API = 'one'", "it does not say its interface version"),
        ("ANABRANCH_API = 2", "this is version 1: pip install -U anabranch-core"),
        ("ANABRANCH_API = 0", "this is version 1: install a newer version of the plugin"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_its_distribution(
    install: Install, toy: str, source: str, says: str
) -> None:
    install("broken", source)
    install("toy", toy)

    found = discover()

    (line,) = [str(problem) for problem in found.problems]
    assert line.startswith("plugin 'broken' of broken 1.0: left out; ")
    assert says in line
    assert "\n" not in line
    assert "toy" in names(found)


def test_two_plugins_of_one_name_are_both_left_out_and_both_named(
    install: Install, toy: str
) -> None:
    install("first", toy, plugin="toy")
    install("second", toy, plugin="toy")

    found = discover()

    assert "toy" not in names(found)
    first, second = map(str, found.problems)
    assert "of first 1.0: left out, because second 1.0 has a plugin of that name too" in first
    assert "block one of the two: -p no:second" in second


def test_of_two_plugins_of_one_name_a_whole_distribution_can_be_blocked(
    install: Install, toy: str
) -> None:
    install("first", toy, plugin="toy")
    install("second", toy, plugin="toy")

    found = discover(["no:second"])

    assert "toy" in names(found)
    assert found.problems == ()


def test_a_blocked_plugin_is_not_even_imported(install: Install) -> None:
    install("explosive", "raise SystemExit('imported')")

    found = discover(["no:explosive"])

    assert found.problems == ()
    assert found.blocked == ("explosive",)


def test_plugins_are_blocked_by_environment_too(
    install: Install, toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("toy", toy)
    monkeypatch.setenv("ANABRANCH_PLUGINS", "no:toy, no:local")

    found = discover()

    assert names(found) == []
    assert sorted(found.blocked) == ["local", "toy"]


def test_blocking_what_is_not_installed_is_told_with_what_is_near() -> None:
    (problem,) = discover(["no:locale"]).problems

    expected = "plugin 'locale': it is blocked but not installed; did you mean 'local'?"
    assert str(problem) == expected


@pytest.mark.parametrize("option", ["local", "no", "no:", "yes:local"])
def test_an_option_that_is_not_no_name_is_refused_in_three_lines(option: str) -> None:
    """Law L11."""
    with pytest.raises(StackError, match=r"write no:NAME") as caught:
        discover([option])

    assert len(str(caught.value).splitlines()) == 3


def test_nothing_is_remembered_between_two_discoveries(install: Install, toy: str) -> None:
    before = Registry.installed()
    install("toy", toy)
    after = Registry.installed()

    assert "toy" not in [plugin.name for plugin in before.plugins]
    assert "toy" in [plugin.name for plugin in after.plugins]
