"""A component's settings must fit the model of its plugin; nothing that is set goes unnoticed (law L7)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.plugins.records import Opening, resolved
from anabranch.stacks import check_stack, describe_stack, open_stack
from anabranch.stacks.validating import validated

Write = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("toy")

HERE = 'orchestrator = "here"\n'


@pytest.mark.parametrize(
    ("text", "what", "line", "remedy"),
    [
        ("[here]\nnamespac = 'ml'", "setting 'namespace' is missing", 2, "add namespace = ..."),
        ("[here]\nnamespace = 'ml'\nlevle = 'low'", "there is no setting 'levle'", 4, "'level'?"),
        (
            "[here]\nnamespace = 'ml'\nlevel = 'mid'",
            "level: Input should be 'low' or 'high'",
            4,
            "",
        ),
        ("[here]\nnamespace = 7", "namespace: Input should be a valid string", 3, ""),
        (
            "[here]\nnamespace = 'a'\n[here.pool]\nsise = 1",
            "there is no setting 'sise'",
            5,
            "'size'?",
        ),
        (
            "[here]\nnamespace = 'a'\npool.size = 'x'",
            "pool.size: Input should be a valid int",
            4,
            "",
        ),
        ("[toy]\nnamespace = 'ml'", "[toy] configures nothing: this stack uses here", 2, "known: "),
    ],
)
def test_a_wrong_setting_is_told_with_its_line(
    text: str, what: str, line: int, remedy: str, write: Write
) -> None:
    write("stacks/s.toml", "").write_text(HERE + text)

    with pytest.raises(StackError) as caught:
        open_stack("s")

    assert what in caught.value.what
    assert caught.value.to == f"stacks/s.toml, line {line}"
    assert remedy in caught.value.do
    assert len(str(caught.value).splitlines()) == 3


def test_settings_that_fit_open_the_stack(write: Write) -> None:
    write("stacks/s.toml", HERE + "[here]\nnamespace = 'ml'\npool.size = 3")

    with open_stack("s") as stack:
        assert stack.capabilities == {
            "driver_loss": "restart",
            "caching": "",
            "waits": "",
            "run_timeout": "",
        }


def test_a_setting_that_must_be_there_is_missed_even_without_a_table(write: Write) -> None:
    write("stacks/s.toml", 'orchestrator = "toy"')

    rows = {row.component: row for row in check_stack("s").rows}

    assert "setting 'namespace' is missing" in rows["orchestrator"].detail


def test_an_orchestrator_that_runs_jobs_is_refused_and_not_run_here_instead(write: Write) -> None:
    """Law L7, as long as the engine has no jobs."""
    write("stacks/s.toml", 'orchestrator = "toy"\n[toy]\nnamespace = "ml"')

    with pytest.raises(StackError, match="orchestrator 'toy' runs drivers as jobs") as caught:
        open_stack("s")

    assert caught.value.to == "stacks/s.toml, line 1"


def test_an_executor_is_refused_and_not_ignored(write: Write) -> None:
    """Law L7, as long as the engine has no jobs."""
    write("stacks/s.toml", 'executors = ["toy"]\n[toy]\nnamespace = "ml"')

    with pytest.raises(StackError, match="executor 'toy' runs steps as jobs"):
        open_stack("s")


def test_a_description_lists_what_is_set_and_what_is_not(write: Write) -> None:
    write(
        "stacks/s.toml",
        HERE + "executors = ['toy', 'tyo']\n[here]\nnamespace = 'ml'\npool.size = 3",
    )

    described = describe_stack("s")

    assert [(row.key, row.value, row.is_default) for row in described.rows] == [
        ("orchestrator", "here", False),
        ("executors", "toy, tyo", False),
        ("here.namespace", "ml", False),
        ("here.pool.size", "3", False),
        ("artifact_store", "local", True),
        ("journal", "sqlite", True),
        ("journal.lease_seconds", "15", True),
    ]
    assert "no installed plugin has an executor called 'tyo'" in described.problems[0]


def test_a_model_that_would_let_unknown_keys_pass_is_refused() -> None:
    with pytest.raises(StackError, match=r"is not a subclass of anabranch\.plugins\.Settings"):
        validated(Loose, {"anything": 1}, lambda *_: "somewhere")


class Loose:
    """Not derived from `Settings`."""


def test_an_opening_does_not_show_what_may_be_secret() -> None:
    """Law L13."""
    opening = Opening(
        stack="s",
        project=Path("/p"),
        home=Path("/p/.anabranch"),
        location="postgres://me:canary@host",
        table={"token": "canary"},
        validate=lambda model, table: model(),
    )

    assert "canary" not in repr(opening)


def test_a_reference_names_a_module_and_what_is_in_it() -> None:
    assert resolved("anabranch.plugins.settings:Settings").__name__ == "Settings"
