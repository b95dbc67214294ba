"""Events against literal JSON, and against what OpenLineage's specification requires."""

import datetime
import uuid
from importlib.metadata import version

import pytest
from openlineage.client.event_v2 import RunState
from openlineage.client.serde import Serde

from mixmatch.config import parse_run_config
from mixmatch.records import Artifact, DataRecord
from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData
from tasks.lineage_events import Began, FlowId, Outcome
from tasks.lineage_events.events import run_event
from tasks.run_file import settings_digest
from tasks.site import Site
from tasks.summary import BaseSummary, CacheCount, ResultRow, RunSummary

CONFIG = parse_run_config(
    {
        "name": "shapes",
        "data": {"name": "image_folder", "root": "/photos"},
        "model": {"architecture": "test_resnet"},
    },
    "r",
)
RUN, PARENT = "0190a1b2-0000-7000-8000-000000000001", "0190a1b2-0000-7000-8000-000000000002"
BASE = "b1" * 32
AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=datetime.UTC)
PRODUCER = f"urn:mixmatch:{version('mixmatch')}"
FACETS = "https://openlineage.io/spec/facets"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"


@pytest.fixture(autouse=True)
def no_registry_elsewhere(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "OPENLINEAGE_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


def began(**changes):
    stated = {
        "flow": FlowId(RUN, "compress"),
        "config": CONFIG,
        "site": Site(workspace="/ws", store="/ws/store"),
        "data": LocatedData(label="/photos", source_digest="d1", path="/photos"),
        "checkpoint": None,
    }
    return Began(**(stated | changes))


def row(**changes):
    stated = {
        "strategy": "balanced",
        "also": (),
        "criterion": "magnitude",
        "seed": 0,
        "sparsity": 0.75,
        "validation_accuracy": 0.9,
        "accuracy": 0.8,
        "accuracy_interval": (0.7, 0.9),
        "accuracy_drop": 0.0,
        "num_nonzero": 1,
        "bytes": 321,
        "digest": "m1",
        "cached": False,
        "on_front": True,
        "front_share": 1.0,
        "model_version": 3,
    }
    return ResultRow(**(stated | changes))


def outcome(*rows):
    data = DataRecord(
        name="image_folder",
        source="/photos",
        source_digest="d1",
        artifact=Artifact(digest="d2", size_bytes=10),
        num_images={"train": 70, "calibration": 5, "validation": 10, "test": 20},
        classes=("a", "b"),
        image_shape=(16, 24, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        augmentation="crop",
    )
    base = BaseSummary(
        architecture="test_resnet",
        source="trained",
        validation_accuracy=0.95,
        accuracy=0.9,
        accuracy_interval=(0.8, 1.0),
        num_parameters=10,
        num_weights=9,
        bytes=456,
        digest=BASE,
        warnings=(),
    )
    summary = RunSummary(
        run_id="mlflow1",
        workspace="/ws",
        base=base,
        results=rows,
        report="/ws/report.html",
        cache=CacheCount(hits=0, misses=1),
        seconds={},
        failed={},
    )
    return Outcome(data, summary)


def told(state, stated, left=None, **more):
    return Serde.to_dict(run_event(state, stated, left or Outcome(), AT, **more))


def facet(place, **values):
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{place}"} | values


def digest_and_kind(digest, kind):
    name = "DatasetVersionDatasetFacet"
    other = "DatasetTypeDatasetFacet"
    return {
        "version": facet(f"1-0-1/{name}.json#/$defs/{name}", datasetVersion=digest),
        "datasetType": facet(f"1-0-1/{other}.json#/$defs/{other}", datasetType=kind),
    }


def tags(target, values):
    name = f"Tags{target}Facet"
    fields = [{"key": k, "value": v, "source": "MIXMATCH"} for k, v in values.items()]
    return facet(f"1-0-0/{name}.json#/$defs/{name}", tags=fields)


def documentation(target, text):
    name = f"Documentation{target}Facet"
    return facet(f"1-1-0/{name}.json#/$defs/{name}", description=text)


def written(size):
    name = "OutputStatisticsOutputDatasetFacet"
    place = f"1-0-2/{name}.json#/$defs/{name}"
    return {"outputStatistics": facet(place, size=size, fileCount=1)}


def test_a_begin_names_the_run_and_the_data_set_by_its_digest():
    name, engine = "JobTypeJobFacet", "ProcessingEngineRunFacet"
    assert told(RunState.START, began()) == {
        "eventType": "START",
        "eventTime": "2026-01-02T03:04:05.000+00:00",
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": {
            "runId": RUN,
            "facets": {
                "processing_engine": facet(
                    f"1-1-1/{engine}.json#/$defs/{engine}",
                    name="mixmatch",
                    version=version("mixmatch"),
                ),
                "tags": tags("Run", {"settings.digest": settings_digest(CONFIG)}),
            },
        },
        "job": {
            "namespace": "mixmatch",
            "name": "shapes",
            "facets": {
                "jobType": facet(
                    f"2-0-4/{name}.json#/$defs/{name}",
                    processingType="BATCH",
                    integration="MIXMATCH",
                    jobType="JOB",
                ),
                "documentation": documentation("Job", "Prunes test_resnet on image_folder."),
            },
        },
        "inputs": [
            {
                "namespace": "file",
                "name": "/photos",
                "facets": digest_and_kind("d1", "FILE"),
                "inputFacets": {},
            }
        ],
        "outputs": [],
    }


def test_an_end_names_what_was_read_the_base_and_only_what_is_registered():
    int8 = {"digest": "i1", "bytes": 99, "sparsity": 0.75, "validation_accuracy": 0.9}
    int8 |= {"accuracy": 0.8, "accuracy_loss": 0.0, "accuracy_loss_interval": (0.0, 0.0)}
    left = outcome(row(int8=int8), row(strategy="other", model_version=None))
    event = told(RunState.COMPLETE, began(), left)
    schema = "SchemaDatasetFacet"
    fields = [
        {"name": "image", "type": "uint8[16,24,3]", "fields": []},
        {"name": "label", "type": "int64", "fields": []},
    ]
    read = "InputStatisticsInputDatasetFacet"
    assert event["inputs"] == [
        {
            "namespace": "file",
            "name": "/photos",
            "facets": digest_and_kind("d1", "FILE")
            | {
                "schema": facet(f"1-2-0/{schema}.json#/$defs/{schema}", fields=fields),
                "tags": tags("Dataset", {"data.digest": "d2"}),
            },
            "inputFacets": {
                "inputStatistics": facet(f"1-0-0/{read}.json#/$defs/{read}", rowCount=105)
            },
        }
    ]
    base = "The base, test_resnet: test accuracy 90.00 %."
    member = "balanced/magnitude/0: sparsity 75.00 %, test accuracy 80.00 %."
    assert event["outputs"] == [
        {
            "namespace": "file",
            "name": f"/ws/store/objects/b1/{BASE}",
            "facets": digest_and_kind(BASE, "MODEL")
            | {
                "documentation": documentation("Dataset", base),
                "tags": tags("Dataset", {"base.digest": BASE}),
            },
            "outputFacets": written(456),
        },
        {
            "namespace": "sqlite:////ws/mlflow.db",
            "name": "models:/shapes/3",
            "facets": digest_and_kind("m1", "MODEL")
            | {
                "documentation": documentation("Dataset", member),
                "tags": tags("Dataset", {"int8.digest": "i1"}),
            },
            "outputFacets": written(321),
        },
    ]
    digest = settings_digest(CONFIG)
    assert event["run"]["facets"]["tags"] == tags(
        "Run", {"settings.digest": digest, "mlflow.run_id": "mlflow1"}
    )


def test_a_base_from_a_checkpoint_is_an_input_and_no_output():
    checkpoint = LocatedCheckpoint(label="best.pt", digest="c1", path="/models/best.pt")
    event = told(RunState.COMPLETE, began(checkpoint=checkpoint), outcome(row()))
    assert [(x["namespace"], x["name"]) for x in event["inputs"]] == [
        ("file", "/photos"),
        ("file", "/models/best.pt"),
    ]
    assert event["inputs"][1]["facets"] == digest_and_kind("c1", "MODEL") | {
        "tags": tags("Dataset", {"base.digest": BASE})
    }
    assert [x["name"] for x in event["outputs"]] == ["models:/shapes/3"]


def test_a_failure_says_why_and_keeps_what_was_registered():
    event = told(RunState.FAIL, began(), outcome(row()), reason="1 results failed: a: It diverged.")
    name = "ErrorMessageRunFacet"
    assert event["run"]["facets"]["errorMessage"] == facet(
        f"1-0-1/{name}.json#/$defs/{name}",
        message="1 results failed: a: It diverged.",
        programmingLanguage="PYTHON",
    )
    assert "models:/shapes/3" in [x["name"] for x in event["outputs"]]


def test_a_scheduled_run_names_its_parent():
    event = told(RunState.START, began(parent=FlowId(PARENT, "compress-scheduled")))
    parent = event["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (PARENT, "compress-scheduled")


def test_images_for_validation_are_an_input_of_their_own():
    data = {"name": "image_folder", "root": "/photos", "validation_root": "s3://lab/extra"}
    config = parse_run_config({"data": data, "model": {"architecture": "test_resnet"}}, "r")
    located = LocatedData(
        label="/photos (validation: s3://lab/extra)", source_digest="d1", path="/photos"
    )
    event = told(RunState.START, began(config=config, data=located))
    assert [(x["namespace"], x["name"]) for x in event["inputs"]] == [
        ("file", "/photos"),
        ("s3://lab", "extra"),
    ]


def test_the_namespace_is_that_of_openlineage_where_it_is_set(monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "vision")
    assert told(RunState.START, began())["job"]["namespace"] == "vision"


@pytest.mark.parametrize("state", [RunState.START, RunState.COMPLETE, RunState.FAIL])
def test_an_event_has_all_that_the_specification_requires(state):
    event = told(state, began(parent=FlowId(PARENT, "nightly")), outcome(row()), reason="Why.")
    assert {"eventType", "eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
    assert datetime.datetime.fromisoformat(event["eventTime"]).utcoffset() == datetime.timedelta(0)
    assert str(uuid.UUID(event["run"]["runId"])) == RUN
    assert event["job"]["namespace"]
    assert event["job"]["name"]
    datasets = event["inputs"] + event["outputs"]
    assert all(x["namespace"] and x["name"] for x in datasets)
    kinds = ("facets", "inputFacets", "outputFacets")
    holders = [event["run"], event["job"], *datasets]
    facets = [f for x in holders for kind in kinds for f in x.get(kind, {}).values()]
    assert len(facets) > 10
    assert all(x["_producer"] == PRODUCER and x["_schemaURL"].startswith(FACETS) for x in facets)
