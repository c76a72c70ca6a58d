"""Hierarchical document search: an agent walks down a tree of pages, and goes only where it is worth while.

A handbook has chapters, those have sections, and so on. A search consults the first page; the agent says how well the
page answers the question and which of the pages below it are worth reading. Those are consulted side by side, and each
may lead further down. How many pages are read, and how deep, nobody knows before: the tree of steps grows by recursion.

Two ways of taking an item out of a list stand side by side here. `handbook.chunk(i)` is for wiring: the step gets page
*i* and nothing else, and the graph has the edge. `consulted.load()` is for deciding: the body needs the value to know
where to go next.

    python examples/hierarchical_doc_search/search.py
    anabranch run examples/hierarchical_doc_search/search.py -p "question=how do I dry a wet rope"

Stop it in the middle with Ctrl-C, or kill it; `anabranch resume latest` consults only the pages that are still unread.
The corpus is made by the first step and the agent counts words, so that the example runs offline. To let a language
model decide, write it into `consult`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anabranch import Artifact, StepFuture, log_metadata, pipeline, step

HANDBOOK = {
    "Handbook of the river": {
        "Boats": {
            "Canoes": "A canoe is paddled from one knee. Dry the hull before you store a canoe under the roof.",
            "Rafts": {
                "Logs": "Logs of spruce float high. Bind logs crosswise with a wet rope, which tightens as it dries.",
                "Barrels": "Barrels carry more than logs. Close every barrel with a cork and wax.",
            },
        },
        "Ropes": {
            "Knots": "A bowline holds a boat and opens again when the rope is wet. A reef knot slips.",
            "Care": {
                "Drying": "Dry a wet rope in the shade, hung loosely: the sun makes a rope brittle.",
                "Storing": "Coil a dry rope clockwise, and store it off the ground, away from mice.",
            },
        },
        "Water": {
            "Currents": "In a bend the current is fast outside and slow inside. An anabranch runs slow and shallow.",
            "Weather": "After two days of rain the river rises for three. Leave the islands before it does.",
            "Locks": "Hold the rope in a lock, and never tie it: the water falls and a tied boat does not.",
        },
        "Camp": {
            "Fire": "A fire needs dry wood, and a bank without roots under it.",
            "Food": {
                "Fish": "Trout stands in the shade of the bank. Smoke a trout for two hours.",
                "Flour": "Keep flour in a barrel with wax on the cork, or the rope will be drier than the bread.",
            },
        },
    }
}

NO_HELP = {
    "a",
    "and",
    "do",
    "how",
    "i",
    "in",
    "is",
    "of",
    "the",
    "to",
    "what",
    "with",
    "when",
    "my",
}


@dataclass(frozen=True)
class Page:
    """A place in the tree. `below` are the numbers of the pages under it, `hint` says what they are about."""

    title: str
    text: str
    hint: str
    below: tuple[int, ...]


@dataclass(frozen=True)
class Visit:
    """What the agent made of a page: how well it answers, and which of the pages below are worth reading."""

    title: str
    text: str
    score: float
    worth_reading: tuple[int, ...]


@step
def write_handbook() -> list[Page]:
    """All pages in one list; the first is the root."""
    pages: list[Page] = []

    def add(title: str, content: Any) -> int:
        number = len(pages)
        pages.append(Page(title, "", "", ()))
        if not isinstance(content, str):
            below = tuple(add(f"{title} > {name}", inside) for name, inside in content.items())
            hint = " ".join(pages[i].title + " " + pages[i].text + pages[i].hint for i in below)
            pages[number] = Page(title, "", hint, below)
        else:
            pages[number] = Page(title, content, "", ())
        return number

    for title, content in HANDBOOK.items():
        add(title, content)
    return pages


@step
def consult(question: str, page: Page, contents: dict[int, str]) -> Visit:
    """The agent reads one page. `contents` describes the pages below it."""
    time.sleep(0.15)  # a model would think for longer
    wanted = words(question)
    closeness = {number: likeness(wanted, words(about)) for number, about in contents.items()}
    best = max(closeness.values(), default=0.0)
    worth = tuple(number for number, close in closeness.items() if close > 0 and close >= best / 2)
    score = likeness(wanted, words(page.title + " " + page.text)) if page.text else 0.0
    log_metadata(score=score, followed=len(worth), ignored=len(contents) - len(worth))
    return Visit(page.title, page.text, score, worth)


@step
def answer(question: str, visits: Sequence[Visit]) -> str:
    """The best of what was found, with its place."""
    found = sorted((v for v in visits if v.score > 0), key=lambda v: (-v.score, v.title))
    lines = [f"{question}?", f"  {len(visits)} pages read"]
    lines += [f"  {visit.score:.2f}  {visit.title}: {visit.text}" for visit in found[:3]]
    text = "\n".join(lines)
    print(text)
    return text


@pipeline
def search(question: str = "how do I dry a wet rope", depth: int = 4) -> Artifact[str]:
    """Answers a question from the handbook."""
    handbook = write_handbook()
    pages = handbook.load()

    def ask(number: int) -> StepFuture[Visit]:
        below = {
            i: f"{pages[i].title} {pages[i].text} {pages[i].hint}" for i in pages[number].below
        }
        return consult.submit(question, handbook.chunk(number), below)

    def explore(consulted: StepFuture[Visit], depth: int) -> list[StepFuture[Visit]]:
        visit = consulted.load()  # where to go next is decided by its value
        further = [ask(number) for number in visit.worth_reading] if depth else []
        return [consulted, *(found for each in further for found in explore(each, depth - 1))]

    return answer(question, explore(ask(0), depth))


def words(text: str) -> set[str]:
    """The words that matter."""
    return {word.strip(".,:;?>").lower() for word in text.split()} - NO_HELP - {""}


def likeness(wanted: set[str], found: set[str]) -> float:
    """The share of the wanted words that were found."""
    return len(wanted & found) / len(wanted) if wanted else 0.0


if __name__ == "__main__":
    search()
