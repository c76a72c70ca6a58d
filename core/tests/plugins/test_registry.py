"""Records are looked up by role and name, and a plugin that fails takes nothing else down."""

from collections.abc import Callable

import pytest

from anabranch.errors import StackError
from anabranch.plugins import (
    ArtifactStoreRecord,
    ExecutorRecord,
    JournalRecord,
    OrchestratorRecord,
    Registry,
)
from anabranch.plugins.discovery import load
from anabranch.plugins.registry import HOOKS

Install = Callable[..., None]

HEAD = "from anabranch.plugins import *\nANABRANCH_API = 1\n"

STORE = """
@hookimpl
def anabranch_artifact_stores():
    yield ArtifactStoreRecord(name="{name}", summary="", create=print, schemes=("toys3",))
"""


def lines(registry: Registry) -> list[str]:
    return [str(problem) for problem in registry.problems]


def test_a_record_is_found_by_its_role_and_name(install: Install, toy: str) -> None:
    install("toy", toy)

    assert Registry.installed().find(OrchestratorRecord, "toy").summary == "plays"


def test_a_name_belongs_to_its_role(install: Install, toy: str) -> None:
    install("toy", toy)

    with pytest.raises(StackError, match="no installed plugin has an executor called 'toy'"):
        Registry.installed().find(ExecutorRecord, "toy")


def test_a_name_that_nobody_has_is_refused_with_what_is_near(install: Install, toy: str) -> None:
    install("toy", toy)

    with pytest.raises(StackError) as caught:
        Registry.installed().find(OrchestratorRecord, "toi")

    assert str(caught.value).splitlines() == [
        "no installed plugin has an orchestrator called 'toi'",
        "  in: plugins: local, toy",
        "  do: did you mean 'toy'? Or install the plugin that has it",
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(OrchestratorRecord, "local"), (ArtifactStoreRecord, "local"), (JournalRecord, "sqlite")],
)
def test_without_the_local_plugin_the_error_says_what_to_install(
    kind: type[OrchestratorRecord | ArtifactStoreRecord | JournalRecord], name: str
) -> None:
    """The core has no backend of its own."""
    with pytest.raises(StackError) as caught:
        Registry(load([])).find(kind, name)

    what, where, remedy = str(caught.value).splitlines()
    assert what.endswith(f"called {name!r}")
    assert where == "  in: plugins: none"
    assert remedy == "  do: pip install anabranch-local"


def test_a_blocked_plugin_is_not_advised_to_be_installed() -> None:
    with pytest.raises(StackError, match=r"do: do not block local$") as caught:
        Registry.installed(["no:local"]).find(OrchestratorRecord, "local")

    assert "pip" not in str(caught.value)


def test_a_lookup_that_fails_tells_which_plugin_is_broken(install: Install) -> None:
    install("toy", "import no_such_sdk")

    with pytest.raises(StackError, match=r"not usable: plugin 'toy' of toy 1\.0: left out; "):
        Registry.installed().find(OrchestratorRecord, "toy")


def test_a_uri_finds_the_record_of_its_scheme(install: Install) -> None:
    install("toy", HEAD + STORE.format(name="bucket"))
    registry = Registry.installed()

    assert registry.at(ArtifactStoreRecord, "toys3").name == "bucket"
    with pytest.raises(StackError, match="an artifact store for toys4:// URIs"):
        registry.at(ArtifactStoreRecord, "toys4")


def test_a_scheme_of_two_plugins_is_ambiguous(install: Install) -> None:
    install("one", HEAD + STORE.format(name="bucket"))
    install("two", HEAD + STORE.format(name="pail"))

    with pytest.raises(StackError, match=r"'one' of one 1\.0 and 'two' of two 1\.0"):
        Registry.installed().at(ArtifactStoreRecord, "toys3")


def test_a_name_of_two_plugins_belongs_to_neither_and_the_rest_stays(
    install: Install, toy: str
) -> None:
    install("first", toy)
    install("second", toy + STORE.format(name="bucket"))

    registry = Registry.installed()

    (line,) = lines(registry)
    assert line == (
        "plugin 'second' of second 1.0: its orchestrator 'toy' clashes with that of first 1.0,"
        " so neither is used; block one of the plugins: -p no:second"
    )
    with pytest.raises(StackError, match=r"'first' of first 1\.0 and 'second' of second 1\.0"):
        registry.find(OrchestratorRecord, "toy")
    assert registry.find(ArtifactStoreRecord, "bucket").name
    assert registry.find(OrchestratorRecord, "local").name


def test_a_stranger_who_calls_himself_local_is_refused_rather_than_chosen(
    install: Install, toy: str
) -> None:
    install("stranger", toy.replace('"toy"', '"local"'))

    with pytest.raises(StackError, match="more than one plugin has an orchestrator called 'local'"):
        Registry.installed().find(OrchestratorRecord, "local")
    assert Registry.installed(["no:stranger"]).find(OrchestratorRecord, "local").name


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise OSError('no')", "failed: OSError: no"),
        ("yield 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit", "failed: SystemExit"),
        ("return 3", "failed: TypeError: 'int' object is not iterable"),
        ("return ['text']", "gave str instead of "),
    ],
)
def test_a_hook_that_fails_is_one_line_and_the_rest_stays(
    install: Install, toy: str, hook: str, body: str, says: str
) -> None:
    install("bad", f"{HEAD}@hookimpl\ndef {hook}():\n    {body}\n")
    install("toy", toy)

    registry = Registry.installed()

    (line,) = lines(registry)
    assert line.startswith(f"plugin 'bad' of bad 1.0: {hook} {says}")
    assert registry.find(OrchestratorRecord, "toy").name
    assert registry.find(OrchestratorRecord, "local").name


def test_a_plugin_with_a_misspelt_hook_is_left_out_with_what_is_near(install: Install) -> None:
    install("bad", HEAD + "@hookimpl\ndef anabranch_orchestrator():\n    return []\n")

    (line,) = lines(Registry.installed())

    assert "left out; there is no hook 'anabranch_orchestrator'; did you mean" in line


def test_a_hook_of_a_newer_version_may_be_marked_as_optional(install: Install, toy: str) -> None:
    newer = "@hookimpl(optionalhook=True)\ndef anabranch_teleporters():\n    return []\n"
    install("toy", toy + newer)

    registry = Registry.installed()

    assert lines(registry) == []
    assert registry.find(OrchestratorRecord, "toy").name


def test_a_hook_with_an_argument_that_there_is_not_is_left_out(install: Install) -> None:
    install("bad", HEAD + "@hookimpl\ndef anabranch_journals(config):\n    return []\n")

    (line,) = lines(Registry.installed())

    assert line.startswith("plugin 'bad' of bad 1.0: left out; Plugin 'bad' for hook ")


def test_an_unknown_capability_is_told_and_the_record_stays(install: Install, toy: str) -> None:
    declared = 'create=None, capabilities=Capabilities(present={"isolatd_steps": ""}))'
    install("toy", toy.replace("create=None)", declared))

    registry = Registry.installed()

    (line,) = lines(registry)
    assert "unknown capability 'isolatd_steps'; did you mean 'isolated_steps'?" in line
    assert registry.find(OrchestratorRecord, "toy").name


def test_every_hook_of_the_interface_is_called(install: Install) -> None:
    source = HEAD + "called = []\n"
    for hook in HOOKS:
        source += f"@hookimpl\ndef {hook}():\n    called.append('{hook}')\n    return []\n"
    install("toy", source)

    registry = Registry.installed()

    (plugin,) = [plugin for plugin in registry.plugins if plugin.name == "toy"]
    assert sorted(vars(plugin.module)["called"]) == sorted(HOOKS)
