"""`anabranch runs logs`, and what it does while a run goes on."""

import pytest

from anabranch.cli.logs import RunLog


@pytest.fixture
def story(tell):
    story = tell()
    story.add(story.create("load"), story.start("load"), story.log("load", "one\ntw"))
    story.add(story.create("train"), story.start("train"), story.log("train", "rate 0.1\n"))
    story.add(story.log("load", "o\nthree"), story.outcome("load"))
    story.add(story.create("train_2", step="train"), story.log("train_2", "rate 0.2\n", attempt=2))
    return story


def test_lines_have_their_step_in_front_and_are_whole(type_here, story):
    story.end()

    assert type_here("runs", "logs", "latest").out.splitlines() == [
        "load | one",
        "train | rate 0.1",
        "load | two",
        "train_2#2 | rate 0.2",
        "load | three",
    ]


def test_the_lines_of_one_call_stand_alone(type_here, story):
    story.end()

    assert type_here("runs", "logs", "latest", "load").out == "one\ntwo\nthree\n"


def test_a_step_means_all_its_calls(type_here, story):
    story.end()

    assert type_here("runs", "logs", "latest", "train").out.splitlines() == [
        "train | rate 0.1",
        "train_2#2 | rate 0.2",
    ]


def test_a_call_in_a_child_is_named_with_it(type_here, story):
    story.add(story.create("tune", pipeline=True), story.create("fit", scope="id-tune"))
    story.add(story.log("fit", "hello\n"))
    story.end()

    assert "tune/fit | hello" in type_here("runs", "logs", "latest").out
    assert type_here("runs", "logs", "latest", "tune/fit").out == "hello\n"


def test_a_step_that_does_not_exist_is_told_with_the_nearest(type_here, story):
    story.end()
    done = type_here("runs", "logs", "latest", "lod")

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == "the run has no step or call 'lod'"
    assert "did you mean 'load'?" in done.err


def test_logs_as_json(type_here, story):
    story.end()
    document = type_here("runs", "logs", "latest", "--json").json

    assert document["run"] == "20261124-035512-k7qf3"
    assert [line["text"] for line in document["lines"]][:2] == ["one", "rate 0.1"]
    assert sorted(document["lines"][0]) == ["at", "attempt", "step", "text"]


def test_long_text_is_read_from_the_artifact_store(story):
    class Store:
        def open(self, digest):
            assert digest == "abc"
            return self

        def read(self):
            return b"from the store\n"

    event = story.log("load", "")
    story.add(type(event)(at=0, invocation=event.invocation, attempt=1, blob="abc"))
    log = RunLog(story.run, story.journal, Store())

    assert "from the store" in [line.text.removeprefix("three") for line in log.take()]


def test_following_goes_on_until_the_run_has_ended(story):
    log, told, chapters = RunLog(story.run, story.journal, None), [], []

    def sleep(seconds):
        """Between two looks, the run goes on."""
        chapters.append(len(told))
        if len(chapters) == 1:
            story.add(story.log("train", "rate 0.3\n"))
        else:
            story.add(story.log("train", "the end"))
            story.end()

    for line in log.follow(sleep):
        told.append(line.text)  # noqa: PERF401  (`sleep` counts how many there are)

    assert chapters == [4, 5]
    assert told[-3:] == ["rate 0.3", "three", "the end"]


def test_following_a_run_that_has_ended_is_reading_it(type_here, story):
    story.end()

    assert len(type_here("runs", "logs", "latest", "-f").out.splitlines()) == 5


def test_following_has_no_end_and_json_is_one_document(type_here, story):
    assert type_here("runs", "logs", "latest", "-f", "--json").code == 2
