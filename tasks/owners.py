"""Who works on something, and whether it still lives: exact here, by heartbeat elsewhere.

A process number alone proves nothing, since numbers are given again; with the time at which its
process began, within one boot and one namespace of numbers, it does.
"""

import hashlib
import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import cast

import psutil

from mixmatch.records import Record

BEAT_S = 20.0
STALE_S = 180.0  # nine beats: a busy machine or a server that is restarted must not look dead

_PROC = Path("/proc")


class Owner(Record):
    """One process.

    Attributes:
        host: name of its machine, for people.
        space: of the machine's boot and namespace of process numbers, a digest.
        pid: its number in there.
        started: when it began, in the unit of that system; tells it from a later one of the number.
    """

    host: str
    space: str
    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Owner | None":
        """Return the process ``pid`` of this machine; None if it has ended."""
        started = _started(pid)
        if started is None:
            return None
        return cls(host=socket.gethostname(), space=_space(), pid=pid, started=started)

    @classmethod
    def here(cls) -> "Owner":
        """Return this process."""
        return cast("Owner", cls.of(os.getpid()))

    @classmethod
    def parse(cls, text: object) -> "Owner | None":
        """Read what ``str`` wrote; None if it is anything else."""
        parts = str(text).rsplit("/", 3)
        if len(parts) != 4 or not (parts[2].isdecimal() and parts[3].isdecimal()):
            return None
        return cls(host=parts[0], space=parts[1], pid=int(parts[2]), started=int(parts[3]))

    def __str__(self) -> str:
        """Write the owner in one line, for a tag or a parameter."""
        return f"{self.host}/{self.space}/{self.pid}/{self.started}"

    def is_near(self) -> bool:
        """Say whether it is, or was, a process that this one can look at."""
        return self.space == _space()

    def is_alive(self, beat_age_s: float) -> bool:
        """Say whether it lives.

        Args:
            beat_age_s: seconds since its last sign of life; only read where it cannot be looked at.
        """
        if self.is_near():
            return _started(self.pid) == self.started
        return beat_age_s < STALE_S


def age_s(timestamp_s: float) -> float:
    """Return the seconds since ``timestamp_s``, which is in seconds since 1970."""
    return time.time() - timestamp_s


@cache
def _space() -> str:
    boot, numbers = _PROC / "sys/kernel/random/boot_id", _PROC / "self/ns/pid"
    if boot.is_file():
        facts = (boot.read_text().strip(), os.readlink(numbers))
    else:
        facts = (socket.gethostname(), str(int(psutil.boot_time())))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _started(pid: int) -> int | None:
    """Return when a process of this machine began; None if it has ended, also as a zombie."""
    try:
        if (_PROC / "self/stat").is_file():
            # The name in brackets may hold anything; the state follows it, 19 further the time.
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else int(fields[19])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1000)
    except (OSError, psutil.NoSuchProcess):
        return None
