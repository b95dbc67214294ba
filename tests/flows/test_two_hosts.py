"""Workers on another host, behind a cable that is cut for 20 s in the middle of a fine-tune."""

import os
from contextlib import ExitStack

import pytest

from benchmarks.fault_cases import cut_link
from benchmarks.fault_run import Run
from benchmarks.fault_state import remove, state_of
from tests import two_hosts

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _possible():
    lacking = two_hosts.missing()
    if lacking and os.environ.get("MIXMATCH_NEEDS_TWO_HOSTS"):  # as in CI, which must not skip it
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the same run leaves on one host, undisturbed."""
    workspace = tmp_path_factory.mktemp("one") / "host"
    summary = Run(workspace).end()
    yield state_of(workspace, summary)
    remove(workspace)


@pytest.fixture(scope="module")
def distributed(tmp_path_factory):
    """The disturbed run, what it left, and the states of trainings that it left."""
    workspace = tmp_path_factory.mktemp("two") / "hosts"
    with ExitStack() as stack:
        disturbed = cut_link(workspace, stack)
        assert disturbed.summary is not None, workspace.with_name("hosts.log").read_text()
        state = state_of(workspace, disturbed.summary)
        yield disturbed.summary, state, disturbed.left()
    remove(workspace)


def test_the_run_completes_with_the_files_of_an_undisturbed_one(whole, distributed):
    summary, state, _ = distributed
    assert len(summary["results"]) == 6
    assert state.digests == whole.digests
    assert state.aliases == whole.aliases


def test_nothing_is_lost_doubled_or_left(whole, distributed):
    _, state, trainings = distributed
    counts = ("num_runs", "num_versions", "num_models", "num_pointers")
    assert [getattr(state, x) for x in counts] == [getattr(whole, x) for x in counts]
    assert (state.doubled, state.unfinished, trainings) == ([], [], [])
