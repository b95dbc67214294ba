"""What two images of ``infra/compose.yaml`` do by themselves, done by programs of this machine."""

import os
import pwd
import subprocess
import time
from pathlib import Path

from tests.postgres import program

_LIMIT_S = 60.0


class Database:
    """Debian's PostgreSQL in place of its image, whose entry point makes data folder and roles."""

    address = None

    def __init__(self):
        self.programs = [Path(program("initdb")).parent]

    def start(self, service, folder):
        """Make what the image makes of an empty volume, then run the service's command over it."""
        home = _own_folder(folder)
        owner = _owner()
        environment = service.environment | {"PGHOST": str(home), "PGPORT": "5432"}
        common = {"cwd": home, "env": environment, **owner}
        (home / "password").write_text(environment["POSTGRES_PASSWORD"])
        initdb = ["initdb", "-D", "data", "-U", "postgres", "--no-sync", "--auth-local=trust"]
        password = ["--auth-host=scram-sha-256", "--pwfile=password"]
        subprocess.run(
            [program("initdb"), *initdb[1:], *password], check=True, capture_output=True, **common
        )
        with (home / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        quiet = ["-D", str(home / "data"), "-k", str(home), "-c", "fsync=off"]
        with (folder / "database.log").open("wb") as log:
            streams = {"stdout": log, "stderr": log}
            first = subprocess.Popen(
                [program("postgres"), *quiet, "-c", "listen_addresses="], **streams, **common
            )
            _await(home, first, folder)
            for script in sorted(_infra_scripts()):
                subprocess.run(["sh", str(script)], check=True, env=environment, cwd=home)
            first.terminate()
            first.wait(_LIMIT_S)
            listen = ["-c", f"listen_addresses={service.address}"]
            return subprocess.Popen(
                [program("postgres"), *service.command[1:], *quiet, *listen],
                start_new_session=True,
                **streams,
                **common,
            )


class ObjectStore:
    """Swift, which runs already, in place of versitygw: an S3 server as well."""

    programs = ()

    def __init__(self, swift):
        # A name, as in compose: of an address, SDKs guess by themselves how buckets are named.
        self.address = swift.endpoint.removeprefix("http://").replace("127.0.0.1", "localhost")

    def start(self, service, folder):
        """Start nothing."""


def _infra_scripts():
    return (Path(__file__).resolve().parents[2] / "infra" / "database").glob("*.sh")


def _own_folder(folder):
    """Return a folder that the server's user owns and can reach."""
    home = folder / "postgres"
    home.mkdir()
    if user := _owner():
        for place in (home, folder, *folder.parents):
            if str(place).startswith("/tmp/"):
                place.chmod(place.stat().st_mode | 0o055)
        os.chown(home, user["user"], user["group"])
    return home


def _owner():
    """Say as whom to start a server: PostgreSQL refuses to be root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _await(home, server, folder):
    deadline = time.monotonic() + _LIMIT_S
    ready = [program("pg_isready"), "-q", "-h", str(home)]
    while subprocess.run(ready, check=False).returncode:
        assert server.poll() is None, (folder / "database.log").read_text()
        assert time.monotonic() < deadline, (folder / "database.log").read_text()
        time.sleep(0.1)
