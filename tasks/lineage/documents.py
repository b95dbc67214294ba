"""What a registered version carries beside its packed file: its lineage, and a model card."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mixmatch.config import RunConfig
from mixmatch.records import BaseRecord, FlowTrace, Lineage, Result, RunTrace
from tasks.jobs import Job, QuantizeJob
from tasks.labels import member_label
from tasks.lineage.builder import describe_builder
from tasks.lineage.card import model_card
from tasks.lineage.statement import statement_bytes
from tasks.lineage.traces import traces_of
from tasks.run_file import settings_digest
from tasks.signing import sign_if_configured
from tasks.store import Store

LINEAGE_FILE = "lineage.json"
SIGNATURE_FILE = "lineage.json.sig"
CARD_FILE = "MODEL_CARD.md"
LINEAGE_DIGEST_TAG = "lineage.digest"


@dataclass(frozen=True, slots=True)
class Origin:
    """What the versions of one run have in common.

    Attributes:
        config: the run file.
        base: the network that they were made from.
        preparation: jobs that precede every member, in their order.
        dvc: DVC's hash by name of what was versioned.
        flow: the run of the flow.
        quantize: the jobs of int8 files, by digest of the member's packed file.
        store: holds the records of all steps.
    """

    config: RunConfig
    base: BaseRecord
    preparation: tuple[Job, ...]
    dvc: Mapping[str, str]
    flow: FlowTrace
    quantize: Mapping[str, QuantizeJob]
    store: Store


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a version stands in MLflow.

    Attributes:
        name: registered model.
        run_id: parent run.
        child_id: run that the version names.
        figures: of that run, by metric, as they were logged for the member.
        tags: of the version.
    """

    name: str
    run_id: str
    child_id: str
    figures: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Documents:
    """Files and tags for a new version.

    Attributes:
        files: content by name, to lie beside the packed file.
        tags: to be set on the version.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def documents_of(origin: Origin, result: Result, tracked: Tracked) -> Documents:
    """Write lineage and model card of one result; sign the lineage where a key is configured.

    Raises:
        ArtifactError: the store lacks the record of a step.
        LineageError: the lineage does not fit in-toto's schemas, or the key cannot sign.
    """
    lineage = _lineage(origin, result, tracked)
    content = statement_bytes(lineage)
    files = {LINEAGE_FILE: content, CARD_FILE: model_card(lineage, origin.base, result).encode()}
    if (signature := sign_if_configured(content)) is not None:
        files[SIGNATURE_FILE] = signature
    return Documents(files, {LINEAGE_DIGEST_TAG: hashlib.sha256(content).hexdigest()})


def _lineage(origin: Origin, result: Result, tracked: Tracked) -> Lineage:
    label = member_label(result.strategy, result.criterion, result.seed)
    int8 = None if result.int8 is None else origin.quantize.get(result.member.artifact.digest)
    steps = traces_of(origin.store, origin.preparation, result.key, int8)
    return Lineage(
        name=tracked.name,
        label=label,
        subject=result.member.artifact,
        source=origin.base.source,
        settings=origin.config.model_dump(mode="json", by_alias=True),
        settings_digest=settings_digest(origin.config),
        dvc=dict(origin.dvc),
        steps=steps,
        head=steps[-1].digest,
        builder=describe_builder(),
        run=_run_trace(origin.flow, label, tracked),
        figures=dict(tracked.figures),
        tags=dict(tracked.tags),
    )


def _run_trace(flow: FlowTrace, label: str, tracked: Tracked) -> RunTrace:
    now = datetime.datetime.now(datetime.UTC)
    return RunTrace(
        mlflow_run=tracked.run_id,
        mlflow_child=tracked.child_id,
        flow_run=flow.flow_run,
        task_run=flow.task_runs.get(label),
        # Members are named STRATEGY/CRITERION/SEED.
        task_runs={name: run for name, run in flow.task_runs.items() if "/" not in name},
        started=flow.started,
        finished=now.isoformat(timespec="seconds"),
    )
