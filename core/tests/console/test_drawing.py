"""One frame of the live tree, as somebody sees it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.console.drawing import Frame, draw
from anabranch.console.marks import ASCII, marks_for
from anabranch.console.progress import Progress


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def story(tell, progress):
    return tell(observers=[lambda _, event: progress.apply(event)])


@pytest.fixture
def frame(story, progress, seen):
    """The lines of a frame."""

    def drawn(width=80, height=24, **how):
        text = draw(progress, Frame(now=story.now, width=width, height=height, **how))
        return seen(text, width).splitlines()

    return drawn


def test_a_run_that_has_begun(story, frame):
    story.tick(3)

    assert frame() == ["● train_model  20261124-035512-k7qf3", "  3 s"]


def test_what_runs_has_a_time_that_ticks_in_whole_seconds(story, frame):
    story.add(story.create("load"), story.start("load"))
    story.tick(61.7)

    assert frame()[1:] == ["  1 min 01 s · 1 running", "  ● load      1 min 01 s"]


def test_names_and_times_stand_under_each_other(story, frame):
    story.ran("load")
    story.ran("split_the_rows", seconds=12.34)

    assert frame()[2:] == [
        "  ✓ load               0.12 s",
        "  ✓ split_the_rows     12.3 s",
    ]


def test_a_map_is_one_line_with_the_items_that_failed(story, frame):
    story.add(story.expand("score", 1000))
    story.ran_all((f"score[{index}]" for index in range(500)), map="id-score")
    story.ran("score[500]", map="id-score", status="failed", failure=story.failure())
    story.add(story.create("score[501]", map="id-score"), story.start("score[501]"))
    story.tick(2)

    assert frame(width=90)[2:] == [
        "  ● score               2 s  ██████████░░░░░░░░░░  501/1,000 · 1 failed · 1 running",
        "    ✗ score[500]             ValueError: bad row",
    ]


def test_the_calls_of_a_child_stand_below_it(story, frame):
    story.add(story.create("tune", pipeline=True), story.start("tune"))
    story.ran("train", scope="id-tune")
    story.add(story.create("train_2", scope="id-tune"), story.start("train_2"))

    assert frame()[2:] == [
        "  ● tune             0 s",
        "    ✓ train        0.12 s",
        "    ● train_2         0 s",
    ]


def test_what_waits_is_a_number(story, frame):
    story.add(*[story.create(f"fetch_{index}") for index in range(12)])

    assert frame()[2:] == ["  … 12 waiting"]


def test_a_retry_says_when_and_why(story, frame):
    story.add(story.create("fetch"), story.start("fetch"))
    story.add(story.retry("fetch", story.failure("refused"), wait=8))

    assert frame()[2:] == ["  ↻ fetch                attempt 2 in 8 s · ValueError: refused"]


def test_what_was_reused_is_marked(story, frame):
    story.add(story.create("load"), story.reuse("load"))

    assert frame()[1:] == ["  0 s · 1 completed · 1 reused", "  ↺ load"]


def test_what_was_taken_from_another_run_says_from_which(story, frame):
    story.add(story.create("load"), story.take("load", "20261123-090000-abc12"))

    assert frame()[1:] == [
        "  0 s · 1 completed · 1 reused",
        "  ↺ load                 from 20261123-090000-abc12",
    ]


def test_a_failure_that_no_call_has_told_is_told(story, frame):
    story.ran("load")
    story.end("failed", story.failure("the body did it"))

    assert frame()[0].startswith("✗ train_model")
    assert frame()[-1] == "  ValueError: the body did it"


def test_a_failure_is_told_once(story, frame):
    story.ran("train", status="failed", failure=story.failure())
    story.end("failed", story.failure())

    assert sum("bad row" in line for line in frame()) == 1


@pytest.mark.parametrize("height", [4, 5, 8, 24, 60])
@pytest.mark.parametrize("width", [20, 80])
def test_a_frame_fits_in_the_terminal(story, frame, height, width):
    """Whatever goes on: many that run, many that failed, children within children."""
    for index in range(100):
        story.ran(f"good_{index}")
        story.add(story.create(f"slow_{index}"), story.start(f"slow_{index}"))
    for index in range(20):
        story.ran(f"bad_{index}", status="failed", failure=story.failure("y" * 200))
        scope = "" if index == 0 else f"id-child_{index - 1}"
        child = story.create(f"child_{index}", scope=scope, pipeline=True)
        story.add(child, story.start(f"child_{index}"))
        story.ran(f"inner_{index}", scope=f"id-child_{index}")
    story.add(story.create("later"))

    lines = frame(width, height)

    assert len(lines) <= height
    assert max(map(len, lines)) <= width


WORDS = st.tuples(
    st.sampled_from(["start", "complete", "fail", "child", "map", "item", "wait", "retry"]),
    st.integers(0, 30),
    st.booleans(),
)


@given(words=st.lists(WORDS, max_size=120), height=st.integers(4, 40))
@settings(max_examples=200, deadline=None)
def test_a_frame_fits_whatever_has_happened(words, height, storyteller):
    progress, scope = Progress(), ""
    progress.apply(storyteller.create("first"))
    for index, (word, number, within) in enumerate(words):
        for event in happening(storyteller, word, index, number, scope if within else ""):
            progress.apply(event)
        if word == "child":
            scope = f"id-child_{index}"

    text = draw(progress, Frame(now=storyteller.now, width=60, height=height)).plain

    assert len(text.splitlines()) <= height
    assert sum(count for status, count in progress.tally.items() if count < 0) == 0


def happening(tell, word, index, number, scope):
    """The events of one turn of the story."""
    name = f"{word}_{index}"
    if word == "map":
        return [tell.expand(name, number)]
    call = [tell.create(name, scope=scope, pipeline=word == "child"), tell.start(name)]
    if word == "item":
        fan_out = tell.expand(f"{name}_map", number + 1)
        return [fan_out, tell.create(name, map=fan_out.map), tell.start(name), failed(tell, name)]
    ending = {
        "complete": [tell.outcome(name)],
        "fail": [failed(tell, name)],
        "retry": [tell.retry(name, tell.failure())],
    }
    return call[:1] if word == "wait" else [*call, *ending.get(word, [])]


def failed(tell, name):
    return tell.outcome(name, "failed", failure=tell.failure())


def test_older_endings_become_a_number(story, frame):
    for index in range(40):
        story.ran(f"train_{index}")

    assert frame(height=8)[2:] == [
        "  … 35 completed",
        *(f"  ✓ train_{index}     0.12 s" for index in range(35, 40)),
    ]


def test_what_runs_comes_before_what_has_ended(story, frame):
    for index in range(10):
        story.ran(f"good_{index}")
    for index in range(10):
        story.add(story.create(f"slow_{index}"), story.start(f"slow_{index}"))

    lines = frame(height=8)

    assert lines[2:] == [
        "  … 10 completed",
        *(f"  ● slow_{index}          0 s" for index in range(4)),
        "  … 6 running",
    ]


def test_a_long_name_is_cut_and_times_stay_in_place(story, frame):
    story.ran("x" * 100)
    story.ran("load")

    assert frame()[2:] == [
        f"  ✓ {'x' * 31}…     0.12 s",
        f"  ✓ {'load':<32}     0.12 s",
    ]


def test_a_terminal_without_unicode_gets_ascii(story, frame):
    story.ran("load")
    story.add(story.expand("score", 10))
    story.ran("score[0]", map="id-score", status="failed", failure=story.failure())

    assert marks_for("latin-1") is ASCII
    assert "\n".join(frame(marks=ASCII)).replace("·", "").isascii()


class Counted(dict):
    """Counts how many of its values somebody looks at."""

    looks = 0

    def values(self):
        for value in super().values():
            self.looks += 1
            yield value


def test_drawing_looks_at_what_is_seen_and_not_at_what_there_is(story, progress, frame):
    names = [f"slow_{index}" for index in range(10_000)]
    story.add(*map(story.create, names), *map(story.start, names))
    progress.root.active = Counted(progress.root.active)

    frame(height=24)

    assert progress.root.active.looks < 24
