"""A lineage of two steps, written out."""

import pytest

from mixmatch.records import Artifact, Builder, Lineage, RunTrace, StepTrace


@pytest.fixture
def lineage():
    fetch = StepTrace(
        step="fetch",
        key="f" * 64,
        inputs={"name": "digits"},
        record={
            "name": "digits",
            "source": "https://example.org/digits.zip",
            "source_digest": "1" * 64,
            "artifact": {"digest": "2" * 64, "size_bytes": 20},
            "num_images": {"train": 1500, "test": 300},
        },
        before=(),
    )
    member = StepTrace(
        step="member",
        key="m" * 64,
        inputs={"criterion": "magnitude"},
        record={
            "artifact": {"digest": "3" * 64, "size_bytes": 30},
            "mask_digest": "4" * 64,
        },
        before=(fetch.digest,),
    )
    return Lineage(
        name="shapes",
        label="balanced/magnitude/0",
        subject=Artifact(digest="3" * 64, size_bytes=30),
        source="trained",
        settings={"data": {"name": "digits"}},
        settings_digest="5" * 64,
        dvc={"data": "d" * 32, "family": "e" * 32},
        steps=(fetch, member),
        head=member.digest,
        builder=Builder(
            version="0.1.0",
            commit="c" * 40,
            clean=True,
            packages={"torch": "2.13.0"},
            lock_digest="6" * 64,
            python="3.11.7",
            processor="Xeon",
            system="Linux x86_64",
        ),
        run=RunTrace(
            mlflow_run="run",
            mlflow_child="child",
            flow_run="0190a1b2-0000-7000-8000-000000000001",
            task_run=None,
            task_runs={},
            started="2026-01-02T03:04:05+00:00",
            finished="2026-01-02T03:05:05+00:00",
        ),
        figures={"accuracy": 0.875},
        tags={"digest": "3" * 64},
    )
