"""Lines for files and build servers."""

import io

import pytest

from anabranch.console import PlainLines
from anabranch.journal.fold import fold


class Pipe(io.StringIO):
    """Somebody reads it until `gone`."""

    gone = False

    def write(self, text):
        if self.gone:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture
def pipe():
    return Pipe()


@pytest.fixture
def display(pipe):
    with PlainLines(pipe) as opened:
        yield opened


@pytest.fixture
def story(tell, display):
    return tell(observers=[display])


def test_a_run_from_beginning_to_end(story, pipe):
    story.ran("load")
    story.tick(1.5)
    story.end()

    assert pipe.getvalue() == (
        "run 20261124-035512-k7qf3 started: train_model\n"
        "completed  load                      0.12 s\n"
        "run 20261124-035512-k7qf3 completed in 1.50 s (1 completed)\n"
        "see it: anabranch runs show 20261124-035512-k7qf3\n"
    )


def test_a_failure_is_told_with_its_type_and_message(story, pipe):
    story.ran("train", status="failed", failure=story.failure())
    story.end("failed", story.failure())

    assert lines(pipe)[1:] == [
        "failed     train                     0.12 s  ValueError: bad row",
        "run 20261124-035512-k7qf3 failed in 0.00 s (1 failed): ValueError: bad row",
        "resume it: anabranch resume 20261124-035512-k7qf3",
    ]


def test_a_map_is_told_at_its_ends_and_at_most_ten_times_in_between(story, pipe):
    story.add(story.expand("score", 10_000))
    for start in range(0, 10_000, 100):
        story.tick(10)
        story.ran_all((f"score[{start + index}]" for index in range(100)), map="id-score")
    told = [line for line in lines(pipe) if "score" in line]

    assert told[0] == "mapping    score                     10,000 items"
    assert told[1] == "mapping    score                     1,000/10,000"
    assert told[-1].startswith("mapped     score                     16 min 40 s  10,000/10,000")
    assert len(told) == 11


def test_a_quick_map_is_told_at_its_ends_alone(story, pipe):
    story.add(story.expand("score", 1000))
    story.ran_all((f"score[{index}]" for index in range(1000)), map="id-score")

    assert len([line for line in lines(pipe) if "score" in line]) == 2


def test_items_that_fail_are_told_and_counted(story, pipe):
    story.add(story.expand("score", 100))
    for index in range(100):
        story.ran(f"score[{index}]", map="id-score", status="failed", failure=story.failure())
    told = lines(pipe)

    assert told[2] == "failed     score[0]                  ValueError: bad row"
    assert len([line for line in told if line.startswith("failed")]) == 25
    assert told[-1].endswith("100/100  100 failed")


def test_a_step_that_is_called_again_and_again_is_told_at_round_numbers(story, pipe):
    story.ran_all((f"train_{index}" for index in range(1, 1001)), step="train")
    told = [line for line in lines(pipe) if line.startswith("completed")]

    assert len(told) == 25 + 5
    assert [line.rpartition("(")[2] for line in told[25:]] == [
        "50 so far)",
        "100 so far)",
        "200 so far)",
        "500 so far)",
        "1,000 so far)",
    ]


def test_the_calls_of_a_child_are_told_with_its_name(story, pipe):
    story.add(story.create("tune", pipeline=True), story.start("tune"))
    story.ran("train", scope="id-tune")

    assert lines(pipe)[1].split()[:2] == ["completed", "tune/train"]


def test_a_retry_is_told(story, pipe):
    story.add(story.create("fetch"), story.start("fetch"))
    story.add(story.retry("fetch", story.failure("refused"), wait=3))

    assert lines(pipe)[1] == "to retry   fetch                     in 3.00 s: ValueError: refused"


def test_a_resumed_run_tells_what_it_reuses(tell, pipe):
    first = tell()
    first.ran("load")
    first.ran("train", status="failed", failure=first.failure())
    first.end("failed", first.failure())
    display = PlainLines(pipe)
    display.remember(fold(first.journal.read(first.run)))

    with display:
        second = tell(begin=False, observers=[display]).begin(life=2)
        second.add(second.discard("train", "it failed"), second.reuse("load"))
        second.add(second.start("train"), second.outcome("train"))
        second.end()

    assert lines(pipe) == [
        "run 20261124-035512-k7qf3 resumed (life 2): train_model",
        "reused     load",
        "completed  train                     0.12 s",
        "run 20261124-035512-k7qf3 completed in 0.00 s (2 completed · 1 reused)",
        "see it: anabranch runs show 20261124-035512-k7qf3",
    ]


def test_an_interrupted_run_says_how_to_go_on(story, pipe):
    story.interrupt()

    assert lines(pipe)[-1] == "resume it: anabranch resume 20261124-035512-k7qf3"


def test_what_to_type_next_can_be_left_to_somebody_else(tell, pipe):
    with PlainLines(pipe, hint=False) as display:
        tell(observers=[display]).end()

    assert lines(pipe)[-1].startswith("run 20261124-035512-k7qf3 completed")


def test_a_reader_who_leaves_does_not_harm_the_run(story, pipe):
    pipe.gone = True
    story.ran("load")
    pipe.gone = False
    story.ran("train")

    assert len(lines(pipe)) == 1


def lines(pipe):
    return pipe.getvalue().splitlines()
