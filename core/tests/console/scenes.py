"""Runs that are told to a live tree in real time: `python scenes.py SCENE FOLDER`. Started by tests, in a terminal."""

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from story import Story

from anabranch import console
from anabranch.engine.contexts import TEES
from anabranch.journal.fold import fold

FOLDER = Path(sys.argv[2])


def big_map():
    """A map of 10,000 items of which some fail, and a step that prints."""
    with console.observer("live") as display:
        story = Story(FOLDER / "journal.db", observers=[display], started=None).begin()
        TEES.open()
        story.ran("load")
        print("printed by a step")
        print("and to standard error", file=sys.stderr)
        story.add(story.expand("score", 10_000))
        for start in range(0, 10_000, 250):
            names = [f"score[{start + index}]" for index in range(250)]
            good, bad = names[:-1], names[-1:]
            story.ran_all(good, map="id-score")
            story.ran_all(bad, map="id-score", status="failed", failure=story.failure())
            print(f"line {start}")
            time.sleep(0.02)
        print("without an end", end="")
        TEES.close()
        story.end()
    print("after the run")


def chatty():
    """A step that prints more than a terminal could redraw around."""
    with console.observer("live") as display:
        story = Story(FOLDER / "journal.db", observers=[display], started=None).begin()
        story.add(story.create("talk"), story.start("talk"))
        for index in range(20_000):
            print(f"line {index}")
        story.add(story.outcome("talk"))
        story.end()


def slow():
    """Goes on until its terminal has gone, and a little longer."""
    with console.observer("live") as display:
        story = Story(FOLDER / "journal.db", observers=[display], started=None).begin()
        for index in range(200):
            story.ran(f"step_{index}")
            time.sleep(0.01)
        story.end()
    (FOLDER / "status").write_text(story.journal.summary(story.run).status)


def prompt():
    """A step that asks: a line without an end that waits for an answer."""
    with console.observer("live") as display:
        story = Story(FOLDER / "journal.db", observers=[display], started=None).begin()
        sys.stdout.write("your name? ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        print(f"hello {answer.strip()}")
        story.end()


def refused():
    """Opened for a run that never begins."""
    earlier = Story(FOLDER / "journal.db").begin().end()
    with console.observer("live") as display:
        display.remember(fold(earlier.journal.read(earlier.run)))
        print("refused", file=sys.stderr)


def both():
    """Standard output is not the terminal."""
    with console.observer("live") as display:
        story = Story(FOLDER / "journal.db", observers=[display], started=None).begin()
        print("a result")
        subprocess.run([sys.executable, "-c", "print('of a program')"], check=True)
        story.ran("load")
        story.end()


if __name__ == "__main__":
    os.environ.pop("ANABRANCH_CONSOLE", None)
    globals()[sys.argv[1]]()
