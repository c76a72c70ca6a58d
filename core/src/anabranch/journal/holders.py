"""Who drives a run, in a word that another driver can judge.

A lease ends when its time is up. On the machine where its holder ran it can end sooner: a process that is no longer
there will not come back for it, so a run that was killed is resumed at once and not after the lease.
"""

import os
import platform
from pathlib import Path

_NAMESPACE = Path("/proc/self/ns/pid")


def this_holder() -> str:
    """`host:pid`, and on Linux the number of the pid's namespace: containers may share a host name."""
    try:
        namespace = f"@{_NAMESPACE.stat().st_ino}"
    except OSError:
        namespace = ""
    return f"{platform.node()}:{os.getpid()}{namespace}"


def is_gone(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended. False where that cannot be told."""
    machine, _, rest = holder.rpartition(":")
    mine, _, own = this_holder().rpartition(":")
    pid, _, namespace = rest.partition("@")
    if machine != mine or namespace != own.partition("@")[2] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(int(pid))


def _is_zombie(pid: int) -> bool:
    """Ended, but not yet asked about by its parent (proc(5): the field after the name in parentheses)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]
