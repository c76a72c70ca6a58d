"""The version of a project's source, as git has it. Loaded when a `Cache` asks for it."""

import subprocess
from hashlib import blake2b
from pathlib import Path

from anabranch.errors import CallError

_DIFF = (
    "diff",
    "HEAD",
    "--binary",
    "--no-relative",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
)


def source_version(project: Path) -> str:
    """The commit, and a digest of what has been changed since in files that git tracks. Raises `CallError`."""
    commit = _git(project, "rev-parse", "HEAD").decode().strip()
    changes = _git(project, *_DIFF, "--submodule=diff")
    return f"{commit} {blake2b(changes, digest_size=16).hexdigest()}"


def _git(project: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(project), *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, check=True)  # noqa: S603  (no shell, our own words)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        why = " ".join(told.decode(errors="replace").split()[:20])
        raise CallError(
            f"source_version=True needs the project's git commit: {why}",
            str(project),
            "commit the project, or leave source_version out",
        ) from None
    return ended.stdout
