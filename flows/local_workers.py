"""Worker processes of this machine for one flow; Dask is loaded when they are begun."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tasks.scratch import scratch_folder
from tasks.site import Site

if TYPE_CHECKING:
    from distributed import LocalCluster

    from flows.job_runner import JobRunner


class LocalWorkers:
    """Worker processes, kept from one fan-out of a flow to the next.

    A pair takes eight seconds to start, most of them imports. So it may be begun while something
    else goes on, and it stays until ``end``.
    """

    def __init__(self, scratch: Path) -> None:
        """Start nothing yet; temporary files of Dask go below ``scratch``."""
        self._scratch = scratch
        self._shape = (0, 0)
        self._cluster: Future[LocalCluster] | None = None
        self._opened = ExitStack()
        self._thread = ThreadPoolExecutor(1, "local-workers")  # starts and ends, in their order

    def begin(self, workers: int, threads: int) -> None:
        """Begin to start ``workers`` processes, of ``threads`` threads per job, and return.

        Processes that are there stay, if they are enough and of as many threads.
        """
        if self._cluster is not None:
            if self._shape[0] >= workers and self._shape[1] == threads:
                return
            self.end_soon()
        self._shape = (workers, threads)
        self._cluster = self._thread.submit(self._open, workers, threads)

    def runner(self, workers: int, threads: int) -> "JobRunner":
        """Return a task runner for at least so many processes, once they are up; use it once."""
        from flows.job_runner import JobRunner  # noqa: PLC0415  Dask takes a second to load

        self.begin(workers, threads)
        cluster = cast("Future[LocalCluster]", self._cluster).result()
        kept_out = {"security": cluster.security}
        return JobRunner(address=cluster.scheduler_address, client_kwargs=kept_out)

    def end(self) -> None:
        """End all processes; a later fan-out starts others."""
        self.end_soon()
        self._thread.submit(lambda: None).result()

    def end_soon(self) -> None:
        """Begin to end all processes, and return."""
        if self._cluster is not None:
            self._cluster = None
            self._thread.submit(self._opened.close)

    def _open(self, workers: int, threads: int) -> "LocalCluster":
        from flows.cluster import local_cluster  # noqa: PLC0415  Dask takes a second to load

        own = scratch_folder(self._scratch, prefix="workers-", is_shared=True)
        folder = self._opened.enter_context(own)  # Dask would leave its locks behind
        return self._opened.enter_context(local_cluster(workers, threads, folder))


@contextmanager
def local_workers(site: Site) -> Iterator[LocalWorkers]:
    """Yield workers for one flow, and have them gone when the block ends."""
    workers = LocalWorkers(site.open_workspace().root / "scratch")
    try:
        yield workers
    finally:
        workers.end()
