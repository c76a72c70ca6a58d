"""The live tree in a terminal: a real one, with a program on its other end."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from anabranch.console import LiveTree

SCENES = Path(__file__).with_name("scenes.py")
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Terminal:
    """As much of a terminal as the live tree uses; `lines` is all that it holds, what has scrolled out included."""

    def __init__(self, width=80, height=24):
        self.width, self.height = width, height
        self.lines, self.row, self.column = [""], 0, 0
        self.raw = ""

    def feed(self, text):
        self.raw += text
        for numbers, command, control, plain in SEQUENCE.findall(text):
            if plain:
                self.put(plain)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif command == "A":
                self.row -= int(numbers or 1)
            elif command == "K":
                self.lines[self.row] = ""

    def put(self, text):
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)

    @property
    def tallest(self):
        """The most lines that were ever drawn over."""
        return max(
            found.count("\x1b[1A") + 1 for found in re.findall(r"(?:\x1b\[1A\x1b\[2K)+", self.raw)
        )

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


class Show:
    """A scene that plays in a terminal."""

    def __init__(self, scene, folder, *, width=80, height=24, stdout=None, env=()):
        self.terminal = Terminal(width, height)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        unwanted = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        self.process = subprocess.Popen(
            [sys.executable, str(SCENES), scene, str(folder)],
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **dict(env)},
        )
        os.close(slave)

    def play(self, until=None):
        """To its end, or until something is seen."""
        while until is None or until not in self.terminal.text:
            ready, _, _ = select.select([self.master], [], [], 60)
            assert ready, f"nothing for a minute; there is:\n{self.terminal.text}"
            try:
                data = os.read(self.master, 65536)
            except OSError:  # Linux says so when the last writer has closed its end
                data = b""
            if not data:
                break
            self.terminal.feed(data.decode(errors="replace"))
        if until is None:
            assert self.process.wait(60) == 0, self.terminal.text
        return self.terminal

    def leave(self):
        with contextlib.suppress(OSError):
            os.close(self.master)


@pytest.fixture
def show(tmp_path):
    shows = []

    def started(scene, **how):
        shows.append(Show(scene, tmp_path, **how))
        return shows[-1]

    yield started
    for playing in shows:
        playing.leave()
        if playing.process.poll() is None:
            playing.process.kill()
        playing.process.wait()


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """The terminal after a map of 10,000 items."""
    playing = Show("big_map", tmp_path_factory.mktemp("big"))
    try:
        return playing.play()
    finally:
        playing.leave()


def test_a_map_of_ten_thousand_items_is_one_line(big):
    assert "! score" in big.text
    assert "10,000/10,000 · 40 failed" in big.text
    assert big.text.count("score[") == 3, "only the first few that failed are named"


def test_what_steps_print_stands_above_the_tree_in_order(big):
    lines = big.text.splitlines()

    assert lines[:2] == ["printed by a step", "and to standard error"]
    assert [line for line in lines if line.startswith("line ")] == [
        f"line {start}" for start in range(0, 10_000, 250)
    ]
    assert lines.index("without an end") < lines.index("✓ train_model  20261124-035512-k7qf3")


def test_the_last_frame_stays(big):
    lines = big.text.splitlines()
    at = lines.index("✓ train_model  20261124-035512-k7qf3")

    assert re.fullmatch(r"  completed in .* s · 9,961 completed · 40 failed", lines[at + 1])
    assert lines[-2:] == [
        "  see it: anabranch runs show 20261124-035512-k7qf3",
        "after the run",
    ]


def test_the_tree_is_drawn_while_the_run_goes_on(big):
    assert re.search(r"█░+  [\d,]+/10,000", big.raw)


def test_the_tree_never_grows_out_of_the_terminal(big):
    assert 0 < big.tallest < big.height


def test_the_cursor_is_given_back(big):
    assert big.raw.rindex("\x1b[?25h") > big.raw.rindex("\x1b[?25l")


def test_the_writer_is_not_kept_waiting(tell):
    """Taking in an event is putting it on a queue; another thread looks at it."""
    display = LiveTree()
    story = tell(observers=[display])
    story.ran("load")

    assert not display.progress.run
    assert len(display._events) == 5


def test_many_lines_cost_few_frames(show):
    terminal = show("chatty").play()

    assert [line for line in terminal.text.splitlines() if line.startswith("line ")] == [
        f"line {index}" for index in range(20_000)
    ]
    assert terminal.raw.count("✓ talk") + terminal.raw.count("● talk") < 200


def test_a_run_outlives_its_terminal(show, tmp_path):
    playing = show("slow")
    playing.play(until="step_")
    playing.leave()

    deadline = time.monotonic() + 30
    while not (tmp_path / "status").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "status").read_text() == "completed"


def test_a_prompt_without_a_line_end_is_seen(show):
    playing = show("prompt")
    playing.play(until="your name?")
    os.write(playing.master, b"Ada\n")

    assert "hello Ada" in playing.play().text


def test_a_run_that_never_began_leaves_no_trace(show):
    assert show("refused").play().text == "refused\n"


def test_a_standard_output_that_is_no_terminal_is_left_alone(show):
    playing = show("both", stdout=subprocess.PIPE)
    terminal = playing.play()

    assert sorted(playing.process.stdout) == [b"a result\n", b"of a program\n"]
    playing.process.stdout.close()
    assert "✓ load" in terminal.text
    assert "a result" not in terminal.text


def test_a_narrow_and_low_terminal_holds_the_tree(show):
    terminal = show("big_map", width=30, height=8).play()

    assert terminal.tallest < 8
    assert max(len(line) for line in terminal.text.splitlines() if "score" in line) <= 30


def test_colours_are_left_out_where_nobody_wants_them(show):
    terminal = show("both", env={"NO_COLOR": "1"}).play()

    assert "✓ load" in terminal.text
    assert not re.search(r"\x1b\[3\dm", terminal.raw)
