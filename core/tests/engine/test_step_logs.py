"""What a step prints is kept as its own, whoever else prints at the same time."""

import asyncio
import sys
import threading
from typing import Any

import pytest

from anabranch import context, pipeline, step
from anabranch.journal.events import LogWritten


def test_each_call_keeps_what_it_printed_while_32_others_print(lab) -> None:
    together = threading.Barrier(32)

    @step
    def say(x: int) -> int:
        together.wait(30)
        for line in range(20):
            print(f"{x}: line {line}")
        return x

    @pipeline
    def flow() -> Any:
        return say.map(range(32))

    run = lab.start(flow)

    for x in range(32):
        assert run.logs(f"say[{x}]") == "".join(f"{x}: line {line}\n" for line in range(20))


def test_async_steps_that_take_turns_in_one_thread_keep_their_own_lines(lab) -> None:
    @step
    async def say(x: int) -> int:
        for line in range(10):
            print(f"{x}: line {line}")
            await asyncio.sleep(0)
        return x

    @pipeline
    def flow() -> Any:
        return say.map(range(30))

    run = lab.start(flow)

    for x in range(30):
        assert run.logs(f"say[{x}]") == "".join(f"{x}: line {line}\n" for line in range(10))


def test_a_line_is_never_torn_by_the_lines_of_others_in_the_log_of_the_run(lab) -> None:
    """Also if it is printed in pieces, over several ticks of the clock."""

    @step
    def say(x: int) -> int:
        for line in range(3):
            for piece in (f"<{x}", f" line {line}", f" {x}>"):
                print(piece, end="")
                threading.Event().wait(0.005)
            print()
        return x

    @pipeline
    def flow() -> Any:
        return say.map(range(16))

    lines = lab.start(flow).logs().splitlines()

    assert sorted(lines) == sorted(f"<{x} line {line} {x}>" for x in range(16) for line in range(3))


@pytest.mark.parametrize("text", ["x" * 100_000, "zwölf Boxkämpfer 🥊 " * 6_000, "a\n" * 60_000])
def test_long_output_is_kept_to_the_last_character(text: str, lab) -> None:
    @step
    def say() -> int:
        sys.stdout.write("." + text)
        return 1

    @pipeline
    def flow() -> Any:
        return say.submit()

    assert lab.start(flow).logs("say") == "." + text


def test_a_bar_that_redraws_its_line_is_seen_before_the_line_ends(lab) -> None:
    """It ends its updates with a carriage return."""

    @step
    def bar() -> bool:
        sys.stderr.write("50 %\r")
        run = context().run_id
        for _ in range(1000):
            if any(isinstance(event, LogWritten) for event in lab.events(run)):
                return True
            threading.Event().wait(0.005)
        return False

    @pipeline
    def flow() -> Any:
        return bar.submit()

    assert lab.start(flow).load() is True


def test_output_of_both_streams_and_of_every_attempt_is_kept_in_order(lab, notes) -> None:
    @step(retry=3)
    def say() -> int:
        attempt = context().attempt
        print(f"out {attempt}")
        print(f"err {attempt}", file=sys.stderr)
        if attempt < 3:
            raise OSError
        return 1

    @pipeline
    def flow() -> Any:
        return say()

    run = lab.start(flow)

    assert run.logs("say").splitlines() == [
        f"{stream} {attempt}" for attempt in (1, 2, 3) for stream in ("out", "err")
    ]
    attempts = [event.attempt for event in lab.events(run) if isinstance(event, LogWritten)]
    assert sorted(set(attempts)) == [1, 2, 3]


def test_a_failing_step_keeps_what_it_printed(lab) -> None:
    @step
    def say() -> int:
        print("about to break")
        raise ValueError

    @pipeline
    def flow() -> Any:
        return say()

    assert lab.start(flow).logs("say") == "about to break\n"


def test_what_the_body_prints_is_not_taken_for_a_steps(lab) -> None:
    @step
    def say() -> int:
        print("from the step")
        return 1

    @pipeline
    def flow() -> Any:
        print("from the body")
        return say()

    assert lab.start(flow).logs() == "from the step\n"


def test_logs_can_be_switched_off_for_a_step_and_for_a_run(lab) -> None:
    @step
    def loud() -> int:
        print("loud")
        return 1

    @pipeline
    def flow() -> Any:
        return loud.with_options(enable_step_logs=False, name="quiet")(), loud()

    @pipeline(enable_step_logs=False)
    def silent() -> Any:
        return loud()

    assert lab.start(flow).logs() == "loud\n"
    assert lab.start(silent).logs() == ""


def test_two_runs_at_once_keep_their_logs_apart_and_give_the_streams_back(lab) -> None:
    before = sys.stdout, sys.stderr
    meeting = threading.Barrier(2)

    @step
    def say(who: str) -> str:
        meeting.wait(30)
        for number in range(50):
            print(f"{who} {number}")
        return who

    @pipeline
    def flow(who: str) -> Any:
        return [say.submit(who) for _ in range(1)]

    runs: dict[str, Any] = {}

    def run(who: str) -> None:
        runs[who] = lab.start(flow, who)

    threads = [threading.Thread(target=run, args=(who,)) for who in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for who in ("left", "right"):
        assert runs[who].load() == [who]
        assert runs[who].logs() == "".join(f"{who} {number}\n" for number in range(50))
    assert (sys.stdout, sys.stderr) == before


def test_the_logger_of_a_context_writes_to_the_log_of_its_step(lab) -> None:
    @step
    def say() -> int:
        context().logger.info("%d of %d", 1, 2)
        context().logger.warning("100 %")
        return 1

    @pipeline
    def flow() -> Any:
        return say()

    assert lab.start(flow).logs("say") == "INFO say: 1 of 2\nWARNING say: 100 %\n"
