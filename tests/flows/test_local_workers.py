"""Worker processes that stay from one fan-out to the next."""

import os

import psutil
import pytest
from distributed import Client

from flows.local_workers import local_workers


@pytest.fixture
def workers(server_site):
    with local_workers(server_site) as workers:
        yield workers


def pids(workers, number, threads=1):
    """Return the process numbers of the workers that a fan-out would get."""
    runner = workers.runner(number, threads)
    with Client(runner.address, **runner.client_kwargs) as client:
        return sorted(client.run(os.getpid).values())


def are_gone(numbers):
    return not any(psutil.pid_exists(number) for number in numbers)


@pytest.mark.service
def test_enough_workers_stay_and_too_few_are_replaced(workers):
    first = pids(workers, 1)
    assert pids(workers, 1) == first
    two = pids(workers, 2)
    assert len(two) == 2
    assert are_gone(first)
    assert pids(workers, 1) == two  # more than enough


@pytest.mark.service
def test_other_threads_need_other_processes(workers):
    first = pids(workers, 1, threads=1)
    assert pids(workers, 1, threads=2) != first
    assert are_gone(first)


@pytest.mark.service
def test_after_their_end_others_are_started(workers):
    first = pids(workers, 1)
    workers.end()
    assert are_gone(first)
    assert pids(workers, 1) != first


@pytest.mark.service
def test_none_is_left_after_the_block_even_if_nobody_waited_for_them(server_site):
    before = set(psutil.Process().children(recursive=True))
    with local_workers(server_site) as workers:
        workers.begin(1, 1)
    assert set(psutil.Process().children(recursive=True)) <= before
    assert list((server_site.open_workspace().root / "scratch").iterdir()) == []


def test_who_needs_none_starts_none(tmp_path):
    class Nowhere:
        def open_workspace(self):
            return self

        root = tmp_path / "nowhere"

    with local_workers(Nowhere()):
        pass
    assert not (tmp_path / "nowhere").exists()
