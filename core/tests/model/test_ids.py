"""Names of runs: sortable by start, short, never the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from anabranch.model.ids import InvocationId, RunId, child_run_id, new_run_id


def test_a_run_id_is_short_and_can_be_typed() -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[2-9a-z]{6}", new_run_id())


@given(st.integers(0, 4_000_000_000), st.integers(0, 4_000_000_000))
def test_run_ids_sort_by_when_the_runs_began(one: int, other: int) -> None:
    earlier, later = sorted((one, other))

    assert new_run_id(earlier)[:15] <= new_run_id(later)[:15]


def test_run_ids_of_one_moment_differ() -> None:
    assert len({new_run_id(0.0) for _ in range(20)}) == 20


def test_a_child_is_named_after_its_run_and_its_identity() -> None:
    child = child_run_id(RunId("20260101-000000-abcde"), InvocationId("0123456789abcdef" * 2))

    assert child == "20260101-000000-abcde~0123456789"
