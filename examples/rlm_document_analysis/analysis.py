"""Document analysis with a recursive language model, in miniature and offline.

A river authority's log is longer than a model can read at once. The pipeline cuts it into as many sections as its
length needs and sets an agent on each, side by side. An agent is a loop: a model looks at what it has seen and chooses
the next tool (search, read, answer), and so decides how many turns it takes. An agent that finds more than it can read
says that it is unsure; then the pipeline halves its section and sets two agents on the halves, and so on downwards.
Neither the number of agents nor that of turns is known before.

    python examples/rlm_document_analysis/analysis.py
    anabranch run examples/rlm_document_analysis/analysis.py -p days=60

Stop it in the middle with Ctrl-C, or kill it; `anabranch resume latest` runs only the agents that have not answered.

The model stands behind the interface `Model`. The one here follows fixed rules, so that the example runs anywhere and
gives the same every time. A real one plugs in by name, and what is called takes no arguments:

    ANABRANCH_EXAMPLE_MODEL=my_package.models:Claude python examples/rlm_document_analysis/analysis.py

The name is a parameter of the run and an input of every agent. So a resumed run keeps its model, and a finding of
another model is never taken for one of this (law L3).
"""

import importlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anabranch import Artifact, StepFuture, log_metadata, pipeline, step, unmapped

STAND_IN = "stand-in"
CHOSEN = os.environ.get("ANABRANCH_EXAMPLE_MODEL", STAND_IN)
LINES_PER_AGENT, LINES_AT_ONCE, MOST_TURNS = 80, 6, 8


# --- the model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """What a model wants next: `search` for a word, `read` a line by its number, or `answer`, which ends the loop."""

    tool: str
    argument: str


@dataclass(frozen=True)
class Turn:
    """A call, and what came of it: lines with their numbers in front."""

    call: Call
    result: tuple[str, ...]


class Model(Protocol):
    """Chooses the next call from the question and what has been seen so far."""

    def next_call(self, question: str, seen: list[Turn]) -> Call:
        """Called until it gives an `answer`. `unsure` as an answer asks for smaller sections."""
        ...


class StandIn:
    """Searches for the last word of the question, reads what it finds, and answers with the highest level."""

    def next_call(self, question: str, seen: list[Turn]) -> Call:
        """Decides by rules."""
        time.sleep(0.05)  # a model would think for longer
        if not seen:
            return Call("search", question.rstrip("?").split()[-1])
        found = seen[0].result
        if len(found) > LINES_AT_ONCE:
            return Call("answer", "unsure")
        if len(seen) <= len(found):
            return Call("read", found[len(seen) - 1].partition(":")[0])
        read = [line for turn in seen[1:] for line in turn.result]
        return Call("answer", max(read, key=level_in, default="nothing"))


def model_called(name: str) -> Model:
    """The stand-in, or what `package.module:factory` makes."""
    if name == STAND_IN:
        return StandIn()
    module, _, attribute = name.partition(":")
    made: Model = getattr(importlib.import_module(module), attribute)()
    return made


# --- the steps -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """What an agent came to. `is_unsure` asks for smaller sections."""

    text: str
    turns: int
    is_unsure: bool


@step
def write_log(days: int) -> list[str]:
    """A log that nobody would want to read whole: four lines a day, quiet but for some floods."""
    lines = []
    for day in range(1, days + 1):
        for place, height in (("ford", 13), ("weir", 29), ("mill", 7), ("lock", 17)):
            level = (day * height * height) % 97 / 10
            state = "flood" if level > 8 else "rising" if level > 5 else "calm"
            lines.append(f"day {day:03}, {place}: level {level:.1f} m, {state}")
    return lines


@step
def cut(lines: list[str], size: int) -> list[list[str]]:
    """The lines in sections of at most `size`."""
    return [lines[start : start + size] for start in range(0, len(lines), size)]


@step(retry=2)
def analyse(section: list[str], question: str, model: str) -> Finding:
    """The agent's loop over one section: the model decides how many turns it takes."""
    agent, seen = model_called(model), list[Turn]()
    for turn in range(1, MOST_TURNS + 1):
        call = agent.next_call(question, seen)
        if call.tool == "answer":
            log_metadata(turns=turn, lines=len(section))
            return Finding(call.argument, turn, call.argument == "unsure")
        seen.append(Turn(call, use_tool(call, section)))
    return Finding("no answer", MOST_TURNS, is_unsure=len(section) > 1)


@step
def combine(question: str, findings: Sequence[Finding]) -> str:
    """The agents' answers as one."""
    told = [finding.text for finding in findings if level_in(finding.text)]
    turns = sum(finding.turns for finding in findings)
    highest = max(told, key=level_in, default="nothing")
    text = f"{question}\n  {highest}\n  ({len(findings)} agents answered in {turns} turns)"
    print(text)
    return text


def use_tool(call: Call, section: list[str]) -> tuple[str, ...]:
    """The tools that an agent has."""
    if call.tool == "search":
        return tuple(f"{i}: {line}" for i, line in enumerate(section) if call.argument in line)
    if call.tool == "read":
        return (section[int(call.argument)],)
    raise ValueError(f"there is no tool {call.tool!r}")


def level_in(text: str) -> float:
    """The level that a line tells; 0 if it tells none."""
    found = re.search(r"level ([\d.]+) m", text)
    return float(found[1]) if found else 0.0


# --- the pipeline ----------------------------------------------------------------------------------------------


@pipeline
def analysis(
    question: str = "Where and when was the highest flood?", days: int = 100, model: str = CHOSEN
) -> Artifact[str]:
    """As many agents as the log needs, each of them as long as it needs, and deeper where one is unsure."""
    waiting = [cut.submit(write_log(days), LINES_PER_AGENT)]
    answered: list[StepFuture[Finding]] = []
    while waiting:
        asked = [
            (sections, analyse.map(sections, question=unmapped(question), model=unmapped(model)))
            for sections in waiting
        ]
        waiting = []
        for sections, agents in asked:
            for number, agent in enumerate(agents):
                if agent.load().is_unsure:
                    section = sections.chunk(number)
                    waiting.append(cut.submit(section, -(-len(section.load()) // 2)))
                else:
                    answered.append(agent)
    return combine(question, answered)


if __name__ == "__main__":
    analysis()
