"""The words for what a stack can do are few, explained, and the same for backends and engine."""

from anabranch.backends import Capabilities, JobSpec
from anabranch.backends.capabilities import CAPABILITIES, UNBUILT
from anabranch.engine import admission
from anabranch.model.ids import RunId
from anabranch.plugins import ExecutorRecord, OrchestratorRecord
from anabranch.plugins.records import Opening
from anabranch.stacks.abilities import abilities


def orchestrator(**declared: dict[str, str]) -> OrchestratorRecord:
    capabilities = Capabilities(**declared)
    return OrchestratorRecord(name="o", summary="", create=None, capabilities=capabilities)


def executor(**declared: dict[str, str]) -> ExecutorRecord:
    def create(opening: Opening) -> None:
        raise AssertionError(opening)

    return ExecutorRecord(
        name="e",
        summary="",
        create=create,  # type: ignore[arg-type]
        capabilities=Capabilities(**declared),
    )


def test_all_that_admission_refuses_is_a_capability_with_a_meaning() -> None:
    """Law L7."""
    needed = {*admission._STEP_NEEDS.values(), *admission._PIPELINE_NEEDS.values()}

    assert needed - set(CAPABILITIES) == set()


def test_what_is_present_and_what_is_lacking_are_all_capabilities() -> None:
    able = abilities(orchestrator(present={"driver_loss": "restart"}), [executor()])

    assert set(able.present) | set(able.lacks) == set(CAPABILITIES)
    assert set(able.present) & set(able.lacks) == set()
    assert all(able.lacks.values())


def test_a_backends_own_reason_is_told() -> None:
    able = abilities(orchestrator(absent={"isolated_steps": "too small"}), [])

    assert able.lacks["isolated_steps"] == "too small"


def test_what_the_engine_has_not_is_lacking_whatever_a_backend_declares() -> None:
    """Law L7: a declaration alone makes nothing work."""
    able = abilities(orchestrator(present=dict.fromkeys(CAPABILITIES, "surely")), [executor()])

    assert able.lacks == UNBUILT
    assert able.present == {"driver_loss": "surely", "caching": "", "waits": "", "run_timeout": ""}


def test_what_a_backend_does_not_mention_is_lacking() -> None:
    able = abilities(orchestrator(), [])

    assert able.lacks["driver_loss"] == "orchestrator 'o' does not declare it"


def test_an_executor_decides_nothing_about_drivers() -> None:
    able = abilities(orchestrator(), [executor(present={"driver_loss": "not my business"})])

    assert "driver_loss" in able.lacks


def test_what_is_declared_both_ways_counts_as_absent() -> None:
    both = {"driver_loss": "text"}

    assert "driver_loss" in abilities(orchestrator(present=both, absent=both), []).lacks


def test_a_jobs_text_does_not_show_its_secrets() -> None:
    """Law L13."""
    spec = JobSpec(
        name="a", run=RunId("r"), role="step", command=("true",), secrets={"TOKEN": "canary"}
    )

    assert "canary" not in repr(spec)
