"""`anabranch runs export`: one run in one file that can be read without us."""

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anabranch.artifacts import LocalStore
from anabranch.cli.exits import COMPLETED, FAILED, MISTAKE, TROUBLE
from anabranch.journal.events import Row, from_row
from anabranch.journal.sqlite import SqliteJournal

LARGE = "x" * 40_000  # too large for the journal

MANY = """
from anabranch import pipeline, step


@step
def fill(number: int) -> bytes:
    return bytes([number]) * 30_000_000


@pipeline
def filled() -> None:
    for number in range(4):
        fill(number)
"""

MEASURED = """
import resource, sys
from anabranch.cli import main

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
code = main(["runs", "export", "latest", "-o", "big.zip"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def ran(anabranch) -> str:
    """The id of a run with an artifact in the store and a failure."""
    done = anabranch("run", "train.py:train", "-p", f"label={LARGE}", "--json", BREAK="1")
    assert done.code == FAILED
    return str(done.json["run"])


@pytest.fixture
def files(project: Path):
    """What is in the folder but for what was there before."""
    before = {each.name for each in project.iterdir()}
    return lambda: sorted({each.name for each in project.iterdir()} - before - {".anabranch"})


def test_everything_that_was_recorded_is_in_the_file(project, type_here, ran):
    assert type_here("runs", "export", "latest").code == COMPLETED
    journal = SqliteJournal(project / ".anabranch" / "journal.db")
    recorded = list(journal.read(ran))
    journal.close()

    with zipfile.ZipFile(project / f"{ran}.zip") as archive:
        assert archive.testzip() is None
        lines = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
        shown = json.loads(archive.read("run.json"))
        readme = archive.read("README.txt").decode()

    assert [
        (
            line["number"],
            from_row(Row(line["kind"], line["at"], line["body"], base64.b64decode(line["data"]))),
        )
        for line in lines
    ] == recorded
    assert shown == type_here("runs", "show", "latest", "--json").json
    assert ran in readme


def test_larger_values_are_in_it_under_the_digest_of_their_bytes(project, type_here, ran):
    type_here("runs", "export", "latest")

    with zipfile.ZipFile(project / f"{ran}.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("artifacts/")]
        found = {name: archive.read(name) for name in names}

    assert [json.loads(data) for data in found.values()] == [LARGE]
    for name, data in found.items():
        assert name == f"artifacts/{hashlib.sha256(data).hexdigest()}"


def test_what_was_written_is_told(project, type_here, ran):
    told = type_here("runs", "export", "latest").out
    document = type_here("runs", "export", "latest", "-o", "other.zip", "--json").json

    assert told.startswith(f"{ran}.zip  ")
    assert told.endswith(f"{document['events']} events, 1 artifact\n")
    assert document == {
        "run": ran,
        "file": "other.zip",
        "size": (project / "other.zip").stat().st_size,
        "events": document["events"],
        "artifacts": 1,
    }


def test_a_file_that_exists_is_not_overwritten_without_force(project, type_here, ran, files):
    (project / "kept.zip").write_text("precious")

    done = type_here("runs", "export", "latest", "-o", "kept.zip")

    assert done.code == MISTAKE
    assert done.err == (
        "the file exists already\n  in: kept.zip\n  do: choose another with --output, or add --force\n"
    )
    assert (project / "kept.zip").read_text() == "precious"
    assert files() == ["kept.zip"]
    assert type_here("runs", "export", "latest", "-o", "kept.zip", "--force").code == COMPLETED
    assert zipfile.is_zipfile(project / "kept.zip")
    assert files() == ["kept.zip"]


@pytest.mark.parametrize("place", ["there", ".", "..", "/", "/dev/null"])
def test_what_is_no_file_is_not_replaced(project, type_here, ran, place):
    (project / "there").mkdir()

    done = type_here("runs", "export", "latest", "-o", place, "--force")

    assert done.code == MISTAKE
    assert done.err.startswith(f"this is no file that could be replaced\n  in: {place}\n")
    assert Path("/dev/null").is_char_device()


def test_a_place_that_cannot_be_written_is_told(type_here, ran, files):
    done = type_here("runs", "export", "latest", "-o", "nowhere/run.zip")

    assert done.code == MISTAKE
    assert done.err.startswith("the file cannot be written: No such file or directory\n")
    assert len(done.err.splitlines()) == 3
    assert files() == []


@pytest.mark.parametrize("harm", ["missing", "other bytes"])
def test_an_artifact_that_is_not_what_it_was_leaves_no_file(project, type_here, ran, files, harm):
    store = LocalStore(project / ".anabranch" / "artifacts")
    [artifact] = [store.open(each.digest).path() for each in store.stored()]
    artifact.unlink() if harm == "missing" else artifact.write_bytes(b"other")

    done = type_here("runs", "export", "latest")

    assert done.code == TROUBLE
    assert len(done.err.splitlines()) == 3
    assert files() == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_process_that_is_killed_on_the_way_leaves_the_old_file_or_none(project, anabranch, kept):
    (project / "many.py").write_text(MANY)
    assert anabranch("run", "many.py").code == COMPLETED
    target = project / "run.zip"
    if kept:
        target.write_text("old")
    words = ["runs", "export", "latest", "-o", "run.zip", "--force"]
    export = subprocess.Popen([sys.executable, "-m", "anabranch", *words])
    while not any(each.stat().st_size > 2_000_000 for each in project.glob(".run.zip.*")):
        assert export.poll() is None

    export.kill()
    export.wait()

    assert target.exists() is kept
    assert not kept or target.read_text() == "old"


def test_a_run_that_goes_on_is_written_as_far_as_it_is(type_here, tell, project):
    story = tell()
    story.ran("load")

    assert type_here("runs", "export", "latest", "-o", "now.zip").code == COMPLETED

    with zipfile.ZipFile(project / "now.zip") as archive:
        shown = json.loads(archive.read("run.json"))
        lines = archive.read("events.jsonl").splitlines()
    assert (shown["status"], shown["counts"], len(lines)) == ("running", {"completed": 1}, 5)


def test_a_large_artifact_is_not_held_in_memory(project, anabranch, type_here):
    """120 MB go through 20 MB."""
    (project / "many.py").write_text(MANY)
    assert anabranch("run", "many.py").code == COMPLETED

    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True, timeout=120
    )

    assert (project / "big.zip").stat().st_size > 120_000_000
    grown = int(done.stderr) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 20_000_000 + 15_000_000  # with the modules that the command loads
