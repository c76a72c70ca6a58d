"""`anabranch runs export`: one run as one file, to keep, to send to somebody, or to read without Anabranch.

Events and artifacts go through one by one, so that memory is bounded by a piece of an artifact and not by the run. The
file is written beside its place and renamed into it: it is there and whole, or not there.
"""

import base64
import hashlib
import os
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from anabranch import __version__
from anabranch.artifacts.interface import ArtifactStore
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output, json_text
from anabranch.console.documents import run_document
from anabranch.console.phrases import plural, size
from anabranch.errors import ArtifactMissing, UserMistake
from anabranch.journal.events import encoded, to_row
from anabranch.journal.fold import RunState
from anabranch.journal.interface import Journal
from anabranch.journal.references import stored_digests
from anabranch.model.ids import RunId
from anabranch.stacks import open_stack

_PIECE = 1 << 20

_README = """\
Run {run} of pipeline {pipeline}, exported by anabranch {version}.

run.json       the run as `anabranch runs show --json` tells it: calls, times, outputs, errors
events.jsonl   everything that was recorded, an event a line, in order: its number, its kind, when it was
               written ("at", in unix seconds), its body, and its data (small values, logs, pickled
               exceptions) in base64
artifacts/     larger values, each under the SHA-256 of its bytes

In events.jsonl an output is a list: name, artifact, digest, size, codec, type, length, offset. If its offset
is -1, the file artifacts/DIGEST holds the value; else its bytes are those of the event's data from the
offset on, as many as its size. The codec says how bytes are read: "json" is JSON text, and so on.

Pickled data runs code when it is unpickled: do so only with a file that you trust.
"""


def runs_export(request: Request, output: Output) -> int:
    """Writes one run into one zip file."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        run = stack.journal.find(request.run)
        target = Path(request.file or f"{run}.zip")
        with _beside(target, request.replaces) as partial, zipfile.ZipFile(partial, "x") as archive:
            export = _Export(archive, run, stack.journal, stack.store)
            export.write()
        taken = target.stat().st_size
    if output.is_json:
        output.document(
            {
                "run": run,
                "file": str(target),
                "size": taken,
                "events": export.state.events,
                "artifacts": len(export.digests),
            }
        )
    else:
        counted = (
            f"{plural(export.state.events, 'event')}, {plural(len(export.digests), 'artifact')}"
        )
        print(f"{target}  {size(taken)}, {counted}")
    return COMPLETED


@dataclass(slots=True, eq=False)
class _Export:
    """What goes into one file. `digests` are what the events refer to, in their order."""

    archive: zipfile.ZipFile
    run: RunId
    journal: Journal
    store: ArtifactStore
    state: RunState = field(default_factory=RunState)
    digests: dict[str, None] = field(default_factory=dict)

    def write(self) -> None:
        """The events before the rest: what they say is what the rest tells of, also if the run goes on."""
        pipeline = self.journal.summary(self.run).pipeline
        told = _README.format(run=self.run, pipeline=pipeline, version=__version__)
        self._put("README.txt", [told.encode()])
        self._put("events.jsonl", self._events())
        document = run_document(self.state, self.journal.summary(self.run))
        self._put("run.json", [f"{json_text(document)}\n".encode()])
        for digest in self.digests:
            self._put(f"artifacts/{digest}", self._artifact(digest), zipfile.ZIP_STORED)

    def _events(self) -> Iterator[bytes]:
        for number, event in self.journal.read(self.run):
            self.state.apply(number, event)
            self.digests.update(dict.fromkeys(stored_digests(event)))
            row = to_row(event)
            data = base64.b64encode(row.data).decode()
            line = {
                "number": number,
                "kind": row.kind,
                "at": row.at,
                "body": row.body,
                "data": data,
            }
            yield f"{encoded(line)}\n".encode()

    def _artifact(self, digest: str) -> Iterator[bytes]:
        """Raises `ArtifactMissing`, also if the bytes are not those that were recorded."""
        source, sha = self.store.open(digest), hashlib.sha256()
        for start in range(0, source.size, _PIECE):
            piece = source.read(start, start + _PIECE)
            sha.update(piece)
            yield piece
        if sha.hexdigest() != digest:
            raise ArtifactMissing(
                "the artifact store has other bytes than those that were recorded",
                f"artifact {digest} of run {self.run}",
                "restore the store from a copy",
            )

    def _put(
        self, name: str, pieces: Iterable[bytes], compression: int = zipfile.ZIP_DEFLATED
    ) -> None:
        entry = zipfile.ZipInfo(name, time.localtime()[:6])
        entry.compress_type, entry.external_attr = compression, 0o644 << 16
        with self.archive.open(entry, "w", force_zip64=True) as opened:
            for piece in pieces:
                opened.write(piece)


@contextmanager
def _beside(target: Path, replaces: bool) -> Iterator[Path]:
    """A place beside the target, which becomes it at the end; nothing stays of it if that is not reached."""
    _refuse_existing(target, replaces)
    partial = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    try:
        yield partial
        _refuse_existing(target, replaces)
        os.replace(partial, target)
    except OSError as error:
        raise UserMistake(
            f"the file cannot be written: {error.strerror or error}",
            str(target),
            "choose another place with --output, or make room there",
        ) from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _refuse_existing(target: Path, replaces: bool) -> None:
    if target.exists() and not target.is_file():
        raise UserMistake(
            "this is no file that could be replaced", str(target), "choose another with --output"
        )
    if target.exists() and not replaces:
        raise UserMistake(
            "the file exists already", str(target), "choose another with --output, or add --force"
        )
