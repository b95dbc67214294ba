"""The services of ``infra/compose.yaml`` as processes of this machine, without containers.

Each runs its own command in its own environment and nothing else, is awaited by its own health
check, and begins when what it depends on is healthy. What differs from containers, all of it:

* Names. A service's name is a loopback address of its own, and so are 0.0.0.0 and 127.0.0.1
  inside it; ports stay as they are.
* Places. ``/var/lib/mixmatch`` and other folders are folders of the test; ``infra`` is ours.
* Images. Ours is this Python environment, Redis is Debian's. ``tests/infra/images.py`` holds the
  two whose own entry points do more: PostgreSQL (Debian's), and Swift in place of versitygw.
* Nobody restarts, limits or isolates a process; published ports and volumes mean nothing.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "infra" / "compose.yaml"

_HEALTHY, _DONE = "service_healthy", "service_completed_successfully"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")
_HERE = re.compile(r"\b(0\.0\.0\.0|127\.0\.0\.1|localhost)\b")
_POLL_S = 1.0  # the start_interval of all health checks
_LIMIT_S = 240.0
_END_S = 15.0


def read_services(variables, file=COMPOSE_FILE):
    """Return the services of a compose file by name, with ``variables`` filled in."""
    return _filled(yaml.safe_load(file.read_text()), variables)["services"]


def _filled(value, variables):
    if isinstance(value, dict):
        return {key: _filled(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, variables) for one in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, variables), value)
    return value


def _value(found, variables):
    name, kind, text = found.groups()
    if name is None:
        return "$"
    if variables.get(name):
        return variables[name]
    if kind != "-":
        raise KeyError(f"{name} is missing: {text}")
    return text


@dataclass
class Service:
    """One process: a service, or one of its replicas."""

    name: str
    kind: str
    address: str
    settings: dict
    command: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None
    state: str | None = None


class Team:
    """All services that compose would start, and what one may do with them."""

    def __init__(self, folder, variables, images):
        self.folder = folder
        self._images = images
        self._network = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}"
        self._specified = {
            kind: x for kind, x in read_services(variables).items() if not x.get("profiles")
        }
        self.services = {x.name: x for x in self._made()}
        self._addresses = {x.kind: x.address for x in reversed(self.services.values())}
        self._places = {
            "/opt/mixmatch/infra": str(ROOT / "infra"),
            "/var/lib/mixmatch": str(folder / "runs"),
            "/tmp/dask": str(folder / "dask"),
            "/data": str(folder / "data"),
        }
        for place in ("runs", "data"):
            (folder / place).mkdir()
        for service in self.services.values():
            service.command = [self._here(x, service) for x in service.settings["command"]]
            service.environment = self._environment(service)

    def start(self):
        """Start what may start until everything is as its dependants want it."""
        deadline = time.monotonic() + _LIMIT_S
        while waiting := [x for x in self.services.values() if x.state is None]:
            for service in waiting:
                if service.process is None and self._may_start(service):
                    self._start(service)
                elif service.process is not None:
                    self._look_at(service)
            names = [x.name for x in waiting]
            assert time.monotonic() < deadline, f"not healthy: {names}\n{self.logs(*names)}"
            time.sleep(_POLL_S / 4)

    def run(self, name, *command, check=True):
        """Run a command inside a service, as ``docker compose exec`` does."""
        service = self.services[name]
        arguments = [self._here(x, service) for x in command]
        done = subprocess.run(
            arguments,
            env=service.environment,
            cwd=self._folder_of(service),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def address(self, kind, port):
        return f"http://{self._addresses[kind]}:{port}"

    def logs(self, *names):
        files = [self.folder / f"{name}.log" for name in names or self.services]
        return "\n".join(f"== {x.name}\n{x.read_text()[-4000:]}" for x in files if x.is_file())

    def stop(self):
        """End all processes."""
        end_families([x.process for x in self.services.values() if x.process is not None])

    def _made(self):
        number = 0
        for kind, settings in self._specified.items():
            replicas = settings.get("deploy", {}).get("replicas", 1)
            for replica in range(1, replicas + 1):
                number += 1
                name = kind if replicas == 1 else f"{kind}-{replica}"
                address = f"{self._network}.{number}"
                if kind in self._images:
                    address = self._images[kind].address or address
                yield Service(name, kind, address, settings)

    def _environment(self, service):
        """Return a container's environment: what compose says, and where programs are."""
        programs = [Path(sys.executable).parent, *self._program_folders(), "/usr/bin", "/bin"]
        base = {
            "PATH": os.pathsep.join(map(str, programs)),
            "HOME": str(self._folder_of(service)),
            "LANG": "C.UTF-8",
        }
        told = service.settings.get("environment", {})
        return base | {name: self._here(str(value), service) for name, value in told.items()}

    def _program_folders(self):
        return [folder for image in self._images.values() for folder in image.programs]

    def _here(self, text, service):
        """Translate names and places of containers to those of this machine."""
        for place, ours in self._places.items():
            text = re.sub(rf"(?<![\w.]){re.escape(place)}\b", ours, text)
        text = _HERE.sub(service.address.partition(":")[0], text)
        for kind, address in self._addresses.items():
            if text == kind:
                text = address
            port = r":\d+" if ":" in address else r"(?=:\d)"
            text = re.sub(rf"(?<![\w.-]){kind}{port}", address, text)
        return text

    def _may_start(self, service):
        needed = service.settings.get("depends_on", {})
        return all(
            x.state == needed[x.kind]["condition"]
            for x in self.services.values()
            if x.kind in needed
        )

    def _start(self, service):
        if image := self._images.get(service.kind):
            service.process = image.start(service, self.folder)
            if service.process is None:  # it runs already
                service.state = _HEALTHY
            return
        with (self.folder / f"{service.name}.log").open("wb") as log:
            service.process = subprocess.Popen(
                service.command,
                env=service.environment,
                cwd=self._folder_of(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _look_at(self, service):
        status = service.process.poll()
        if "healthcheck" not in service.settings:
            assert not status, self.logs(service.name)
            service.state = _DONE if status == 0 else None
            return
        assert status is None, f"{service.name} has ended\n{self.logs(service.name)}"
        if self.is_healthy(service):
            service.state = _HEALTHY

    def is_healthy(self, service):
        """Run the service's own health check once."""
        kind, *test = service.settings["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            test = ["sh", "-c", *test]
        return self.run(service.name, *test, check=False).returncode == 0

    def _folder_of(self, service):
        folder = self.folder / "homes" / service.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def end_families(processes):
    """End processes and all below them: kindly, and after a while by force."""
    families = []
    for process in processes:
        if process.poll() is None:
            root = psutil.Process(process.pid)
            families += [root, *root.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(families, timeout=_END_S)
    for one in alive:
        one.kill()
    psutil.wait_procs(alive)
    for process in processes:
        process.wait()
