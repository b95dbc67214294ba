"""A Dask scheduler and workers as a team starts them: processes of their own, from elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_DASK = (sys.executable, "-m", "dask")
_START_S = 60.0
_END_S = 20.0
_POLL_S = 0.05


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DaskCluster:
    """A scheduler that can be killed and started again, and its workers."""

    def __init__(
        self,
        folder,
        *,
        scheme="tcp",
        variables=None,
        hosts=("127.0.0.1", "127.0.0.1"),
        before_worker=(),
    ):
        """Arrange a cluster, of which nothing runs yet.

        Args:
            folder: for logs, and the working directories of its processes.
            scheme: tcp or tls.
            variables: of all processes, beside those of this one.
            hosts: addresses of the scheduler and of the workers.
            before_worker: what stands before a worker's command, to run it on another host.
        """
        self.port = free_port()
        self.address = f"{scheme}://{hosts[0]}:{self.port}"
        self._folder, self._before_worker = folder, before_worker
        self._place = hosts[0]
        self._hosts = {
            kind: f"{scheme}://{host}"
            for kind, host in zip(("scheduler", "worker"), hosts, strict=True)
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
        # Stand-in steps of the tests are found like an installed package.
        self._environment = {**kept, "PYTHONPATH": str(_ROOT), **(variables or {})}
        self.scheduler = None
        self.workers = []

    def start_scheduler(self):
        place = ("--host", self._hosts["scheduler"], "--port", str(self.port))
        self.scheduler = self._start("scheduler", *place, "--no-dashboard")
        _await(lambda: _accepts(self._place, self.port), self.scheduler)

    def add_worker(self, *options, threads=1):
        slots = ("--nthreads", str(threads), "--host", self._hosts["worker"])
        folder = ("--local-directory", str(self._folder / "scratch"))
        quiet = ("--no-dashboard", "--memory-limit", "0", "--death-timeout", "120")
        worker = self._start("worker", self.address, *slots, *folder, *quiet, *options)
        self.workers.append(worker)
        return worker

    def replace_workers(self):
        """Start each worker again once it has ended, as what supervises it would.

        A worker of Dask ends when it loses its scheduler.
        """
        ending, self.workers = self.workers, []
        for worker in ending:
            worker.wait(_END_S)
            self.add_worker()

    def end(self):
        processes = [x for x in (*self.workers, self.scheduler) if x is not None]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(self, kind, *arguments):
        elsewhere = self._folder / kind
        elsewhere.mkdir(parents=True, exist_ok=True)
        before = self._before_worker if kind == "worker" else ()
        with (self._folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, *_DASK, kind, *arguments],
                cwd=elsewhere,
                env={**self._environment, "HOME": str(elsewhere)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def dask_cluster(folder, num_workers, *, options=(), **settings):
    cluster = DaskCluster(folder, **settings)
    cluster.start_scheduler()
    for _ in range(num_workers):
        cluster.add_worker(*options)
    try:
        yield cluster
    finally:
        cluster.end()


def _accepts(host, port):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _await(happened, process):
    deadline = time.monotonic() + _START_S
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(_POLL_S)
