"""One frame of the live tree: what of a `Progress` fits in a terminal, as text.

Pure: the time and the size are arguments. Every branch is given a number of rows and stays within it; what is under
way comes first, then failures, then the last that ended, and everything else becomes one line with a count. So a
frame costs what the screen holds and not what the run holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from rich.text import Text

from anabranch.console.entries import Branch, Call, Entry, FanOut
from anabranch.console.marks import MARKS, STYLES, Marks
from anabranch.console.phrases import counts, duration, from_run, plural
from anabranch.console.progress import Progress
from anabranch.console.rows import Row, append_rows

_BAR = 20
_FAILED_ITEMS = 3
_RECENT = 8  # endings that are shown where not all of them can be: a full screen is no calm one
_FINAL = ("completed", "failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`now` is in unix seconds; `height` is the most rows that may be used, at least 4."""

    now: float
    width: int
    height: int
    marks: Marks = field(default_factory=lambda: MARKS)


_MOST_WAITS = 3


def draw(progress: Progress, frame: Frame) -> Text:
    """The whole frame; at most `frame.height` lines."""
    text = Text(no_wrap=True, overflow="ellipsis")
    _header(text, progress, frame)
    waits = [f"waits for {wait}" for wait in progress.waits.values()]
    if len(waits) > _MOST_WAITS:
        waits[_MOST_WAITS - 1 :] = [f"waits for {len(waits) - _MOST_WAITS + 1} more answers"]
    room = frame.height - 2 - bool(progress.trouble) - len(progress.notes) - len(waits)
    rows = _rows(progress.root, frame, 1, room)
    append_rows(text, rows, frame.width, frame.marks)
    if progress.trouble and progress.trouble not in text.plain:
        text.append(f"\n  {progress.trouble}", STYLES[progress.status])
    for wait in waits:
        text.append(f"\n  {wait}", STYLES["paused"])
    for note in progress.notes:
        text.append(f"\n  {frame.marks['cancelled']} {note}", STYLES["cancelled"])
    return text


def _header(text: Text, progress: Progress, frame: Frame) -> None:
    style = STYLES[progress.status]
    text.append(f"{frame.marks[progress.status]} ", style)
    text.append(progress.pipeline, "bold")
    text.append(f"  {progress.run}", "dim")
    if progress.life > 1:
        text.append(f"  life {progress.life}", "dim")
    told = counts(progress.tally)
    reused = f" · {progress.reused:,} reused" if progress.reused else ""
    if progress.ended_at:
        took = duration(progress.ended_at - progress.started_at)
        text.append(f"\n  {progress.status.replace('_', ' ')}", style)
        text.append(f" in {took}", "dim")
    else:
        text.append(f"\n  {_ticking(progress.started_at, frame.now)}", "dim")
    text.append(f" · {told}{reused}" if told else "", "dim")


def _rows(branch: Branch, frame: Frame, depth: int, room: int) -> list[Row]:
    """At most `room` rows for what a body has called, in the order in which it came."""
    if room <= 0:
        return []
    waiting, active, ended = branch.tally.get("pending", 0), len(branch.active), _ended(branch)
    head = ended > 0 and room > 2  # a row is kept for what has ended and is not shown
    tail = waiting > 0 or active > room - head
    shown = list(islice(branch.active.values(), room - head - tail))
    left = room - head - tail - len(shown)
    blocks = list(_blocks(shown, frame, depth, left * 2 // 3))
    left -= sum(len(block) - 1 for _, block in blocks)
    if head and ended == len(branch.failed) + len(branch.ended) == left + 1:
        left += 1  # the row that is kept for those not shown serves the last of them
    gone, hidden = _gone(branch, frame, depth, left)
    blocks += gone
    rows = [row for _, block in sorted(blocks, key=lambda block: block[0]) for row in block]
    if hidden and head:
        rows.insert(0, _more(hidden, depth, frame))
    if tail:
        rest = {"running": active - len(shown), "pending": waiting}
        rows.append(_more(counts(rest), depth, frame))
    return rows


def _ended(branch: Branch) -> int:
    return sum(branch.tally.get(status, 0) for status in _FINAL) + branch.fan_outs_ended


Block = tuple[int, list[Row]]


def _blocks(entries: list[Entry], frame: Frame, depth: int, room: int) -> Iterator[Block]:
    """Each entry with what lies within it, sharing `room` further rows."""
    for index, entry in enumerate(entries):
        share = -(-room // (len(entries) - index))
        within = _within(entry, frame, depth + 1, share)
        room -= len(within)
        yield entry.place, [_row_of(entry, frame, depth), *within]


def _within(entry: Entry, frame: Frame, depth: int, room: int) -> list[Row]:
    if isinstance(entry, Call):
        return _rows(entry.inside, frame, depth, room) if entry.inside else []
    failures = entry.failures[: max(0, min(room, _FAILED_ITEMS))]
    mark, style = frame.marks["failed"], STYLES["failed"]
    return [
        Row(depth=depth, mark=mark, name=name, detail=trouble, style=style, is_alarming=True)
        for name, trouble in failures
    ]


def _gone(branch: Branch, frame: Frame, depth: int, room: int) -> tuple[list[Block], str]:
    """What has ended, as far as there is room, and a phrase for the rest."""
    failed = branch.failed[: max(0, room)]
    most = max(0, room - len(failed))
    if _ended(branch) > room:
        most = min(most, _RECENT)
    ended = list(islice(reversed(branch.ended), most))
    left = max(0, room - len(failed) - len(ended))
    blocks = list(_blocks([*failed, *ended], frame, depth, left))
    rest = {s: branch.tally.get(s, 0) for s in _FINAL}
    maps = branch.fan_outs_ended
    for entry in (*failed, *ended):
        if isinstance(entry, Call):
            rest[entry.status] -= 1
        else:
            maps -= 1
    return blocks, " · ".join(filter(None, [counts(rest), plural(maps, "map") if maps else ""]))


def _more(phrase: str, depth: int, frame: Frame) -> Row:
    return Row(depth=depth, mark=frame.marks["more"], name=phrase, is_aside=True)


def _row_of(entry: Entry, frame: Frame, depth: int) -> Row:
    if isinstance(entry, FanOut):
        return _fan_out(entry, frame, depth)
    state = "reused" if entry.is_reused and entry.status == "completed" else entry.status
    time, detail = "", ""
    if entry.status == "running":
        time = _ticking(entry.started_at, frame.now)
        detail = f"attempt {entry.attempt}" if entry.attempt > 1 else ""
    elif entry.status == "retrying":
        wait = max(0.0, entry.retry_at - frame.now)
        detail = f"attempt {entry.attempt + 1} in {wait:.0f} s · {entry.trouble}"
    elif entry.is_reused:
        detail = from_run(entry.origin) if state == "reused" else entry.trouble
    elif entry.status in ("completed", "failed"):
        time, detail = duration(entry.seconds), entry.trouble
    return Row(
        depth=depth,
        mark=frame.marks[state],
        name=entry.display,
        time=time,
        detail=detail,
        style=STYLES[state],
        is_alarming=state == "failed",
    )


def _fan_out(fan_out: FanOut, frame: Frame, depth: int) -> Row:
    rest = {s: n for s, n in fan_out.tally.items() if s not in ("completed", "pending")}
    told = f"{fan_out.ended:,}/{fan_out.count:,}"
    detail = " · ".join(filter(None, [told, counts(rest)]))
    if fan_out.is_done:
        state = "mixed" if fan_out.has_failed else "completed"
        time = duration(fan_out.ended_at - fan_out.started_at)
    else:
        state = "running"
        full = _BAR * fan_out.ended // max(1, fan_out.count)
        bar = frame.marks["full"] * full + frame.marks["empty"] * (_BAR - full)
        time, detail = _ticking(fan_out.started_at, frame.now), f"{bar}  {detail}"
    return Row(
        depth=depth,
        mark=frame.marks[state],
        name=fan_out.display,
        time=time,
        detail=detail,
        style=STYLES[state],
    )


def _ticking(since: float, now: float) -> str:
    """The time of what still runs, in whole seconds: a screen that flickers with tenths is not calm."""
    seconds = int(max(0.0, now - since))
    return f"{seconds} s" if seconds < 60 else duration(seconds)
