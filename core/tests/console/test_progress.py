"""What a display keeps of a run: little, however long the run is."""

import sys

import pytest

from anabranch.console.entries import KEEP_ENDED, KEEP_FAILED
from anabranch.console.progress import Progress
from anabranch.journal.fold import fold


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def story(tell, progress):
    return tell(observers=[lambda _, event: progress.apply(event)])


def test_a_call_is_counted_where_it_is(story, progress):
    story.add(story.create("load"), story.create("split"), story.create("train"))
    story.add(story.start("load"), story.start("split"), story.outcome("load"))

    assert nonzero(progress.tally) == {"completed": 1, "running": 1, "pending": 1}


def test_a_call_that_waits_is_counted_and_not_kept(story, progress):
    story.add(*[story.create(f"fetch_{i}") for i in range(50)])

    assert not progress.root.active
    assert progress.root.tally["pending"] == 50


def test_items_are_counted_in_their_map(story, progress):
    story.add(story.expand("score", 5))
    for index in range(3):
        story.ran(f"score[{index}]", map="id-score")
    [score] = progress.root.active.values()

    assert nonzero(score.tally) == {"completed": 3, "pending": 2}
    assert (score.ended, score.is_done) == (3, False)
    assert nonzero(progress.root.tally) == {}


def test_a_map_is_done_with_its_last_item(story, progress):
    story.add(story.expand("score", 2))
    story.tick(1)
    story.ran("score[0]", map="id-score")
    story.tick(2)
    story.ran("score[1]", map="id-score", status="failed", failure=story.failure())
    [score] = progress.root.failed

    assert score.is_done
    assert score.ended_at - score.started_at == 3
    assert score.failures == [("score[1]", "ValueError: bad row")]


def test_a_map_of_nothing_is_done_at_once(story, progress):
    story.add(story.expand("score", 0))

    assert [entry.display for entry in progress.root.ended] == ["score"]


def test_the_calls_of_a_child_are_within_it(story, progress):
    story.add(story.create("tune", pipeline=True), story.start("tune"))
    story.ran("train", scope="id-tune")
    [tune] = progress.root.active.values()

    assert [entry.display for entry in tune.inside.ended] == ["train"]
    assert progress.path(tune.inside.ended[0]) == "tune/train"


def test_a_child_that_has_completed_lets_go_of_its_calls(story, progress):
    story.add(story.create("tune", pipeline=True), story.start("tune"))
    story.ran("train", scope="id-tune")
    story.add(story.outcome("tune"))

    assert progress.root.ended[0].inside is None


def test_a_retry_says_what_went_wrong_and_when_it_goes_on(story, progress):
    story.add(story.create("fetch"), story.start("fetch"))
    story.add(story.retry("fetch", story.failure("refused"), wait=3))
    [fetch] = progress.root.active.values()

    assert (fetch.status, fetch.trouble) == ("retrying", "ValueError: refused")
    assert fetch.retry_at == story.now + 3


def test_only_the_first_failures_and_the_last_endings_are_kept(story, progress):
    for index in range(KEEP_ENDED + 30):
        story.ran(f"good_{index}")
    for index in range(KEEP_FAILED):
        story.ran(f"bad_{index}", status="failed", failure=story.failure())

    assert [entry.display for entry in progress.root.failed] == [f"bad_{i}" for i in range(5)]
    assert progress.root.ended[-1].display == f"good_{KEEP_ENDED + 29}"
    assert len(progress.root.ended) == KEEP_ENDED
    assert progress.root.tally["completed"] == KEEP_ENDED + 30


def test_nothing_is_kept_of_an_item_that_has_ended(story, progress):
    story.add(story.expand("score", 3_000))
    before = sizes(progress)
    story.ran_all((f"score[{index}]" for index in range(3_000)), map="id-score")

    assert sizes(progress) == before


def test_a_resumed_run_counts_what_this_life_has_touched(tell):
    first = tell()
    first.ran("load")
    first.add(first.expand("score", 2))
    first.ran("score[0]", map="id-score")
    first.ran("train", status="failed", failure=first.failure())
    first.end("failed", first.failure())
    progress = Progress()
    progress.remember(fold(first.journal.read(first.run)))

    second = tell(begin=False, observers=[lambda _, event: progress.apply(event)]).begin(life=2)
    second.add(second.discard("train", "it failed"))
    assert nonzero(progress.tally) == {}
    second.add(second.reuse("load"), second.reuse("score[0]"))
    second.ran("score[1]", map="id-score")
    second.add(second.start("train"), second.outcome("train"))

    assert nonzero(progress.tally) == {"completed": 4}
    assert progress.reused == 2
    assert [entry.display for entry in progress.root.ended] == ["load", "score", "train"]


def test_a_map_that_is_told_of_again_is_the_same_map(tell):
    """As a resumed run may do, with another number of items."""
    first = tell()
    first.add(first.expand("score", 2))
    first.ran("score[0]", map="id-score")
    first.interrupt()
    progress = Progress()
    progress.remember(fold(first.journal.read(first.run)))

    second = tell(begin=False, observers=[lambda _, event: progress.apply(event)]).begin(life=2)
    second.add(second.reuse("score[0]"), second.expand("score", 3))
    second.ran_all(["score[1]", "score[2]"], map="id-score")

    assert nonzero(progress.tally) == {"completed": 3}
    assert [(entry.count, entry.is_done) for entry in progress.root.ended] == [(3, True)]


def test_an_invocation_that_is_unknown_is_passed_over(story, progress):
    """A display that was not told of earlier lives must not break on them."""
    story.add(story.start("ghost"), story.outcome("ghost"), story.reuse("ghost"))

    assert nonzero(progress.tally) == {}


def test_how_a_run_ended_is_known(story, progress):
    story.end("failed", story.failure("no bucket"))

    assert (progress.status, progress.trouble) == ("failed", "ValueError: no bucket")


def test_an_interrupted_run_is_known_as_such(story, progress):
    story.interrupt()

    assert progress.status == "interrupted"


def nonzero(tally):
    return {status: count for status, count in tally.items() if count}


def sizes(progress):
    return len(progress._calls), len(progress._maps), sys.getsizeof(progress.root.ended)
