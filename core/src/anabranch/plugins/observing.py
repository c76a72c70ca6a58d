"""Plugins that watch: told of every event, unable to disturb the run."""

import sys
import warnings

import pluggy

from anabranch.journal.events import Event
from anabranch.model.ids import RunId
from anabranch.plugins.discovery import Plugin, explained


class Observation:
    """One plugin watching one run. After its first error it is told no more."""

    def __init__(self, plugin: Plugin, hook: pluggy.HookCaller, run: RunId) -> None:
        self._plugin, self._hook, self._run = plugin, hook, run
        self._is_over = False

    def __call__(self, number: int, event: Event) -> None:
        if self._is_over:
            return
        try:
            self._hook(run=self._run, number=number, event=event)
        except Exception as error:  # noqa: BLE001  (a stranger's code, and it only watches)
            self._is_over = True
            what = f"told no more of run {self._run}; {explained(error)}"
            _warn(str(self._plugin.problem(what)))


def _warn(line: str) -> None:
    """Where warnings are errors, the line alone: whoever only watches may not end a run."""
    try:
        warnings.warn(line, RuntimeWarning, stacklevel=3)
    except RuntimeWarning:
        sys.stderr.write(f"{line}\n")
