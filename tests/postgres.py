"""A PostgreSQL server in a folder of its own, run by a user without rights."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_START_S = 60.0
USER = "mixmatch"


def program(name):
    """Return a program of the newest installed PostgreSQL."""
    found = str(_INSTALLED[-1] / name) if _INSTALLED else shutil.which(name)
    assert found, "PostgreSQL is missing (Debian: apt install postgresql)"
    return found


@contextmanager
def running(folder):
    """Yield the address of an empty database; the server listens on a socket in ``folder`` only."""
    server = None
    owner = _owner()
    for place in (folder, *folder.parents):
        if os.geteuid() == 0 and str(place).startswith("/tmp/"):
            place.chmod(place.stat().st_mode | 0o055)
    home = folder / "postgres"
    home.mkdir()
    if owner:
        os.chown(home, owner.pw_uid, owner.pw_gid)
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid} if owner else {}
    initdb = [program("initdb"), "-D", str(home / "data"), "-U", USER, "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=home, **as_owner)
    arguments = ("-c", "listen_addresses=", "-k", str(home), "-c", "fsync=off")
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [program("postgres"), "-D", str(home / "data"), *arguments],
            stdout=log,
            stderr=log,
            cwd=home,
            **as_owner,
        )
    try:
        _await(home, server, folder / "postgres.log")
        yield f"postgresql://{USER}@/postgres?host={home}"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": open connections are closed
        server.wait(_START_S)


def _owner():
    """Return who may run a server: PostgreSQL refuses to be root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _await(home, server, log):
    ready = [program("pg_isready"), "-h", str(home), "-U", USER]
    deadline = time.monotonic() + _START_S
    while subprocess.run(ready, capture_output=True, check=False).returncode:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
