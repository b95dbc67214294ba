"""One event about a run, put together from what is known of it."""

import datetime
import os
from importlib.metadata import version
from typing import Any

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    documentation_job,
    error_message_run,
    job_type_job,
    parent_run,
    processing_engine_run,
    tags_run,
)

from tasks.lineage_events.datasets import PRODUCER, SOURCE, inputs_of, outputs_of
from tasks.lineage_events.facts import Began, Outcome
from tasks.run_file import settings_digest

NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"  # of the client's own
DEFAULT_NAMESPACE = "mixmatch"


def run_event(
    state: RunState,
    began: Began,
    outcome: Outcome,
    at: datetime.datetime,
    *,
    reason: str | None = None,
) -> RunEvent:
    """Describe a run as it stands.

    Args:
        state: what happens to it.
        began: what was known when it began.
        outcome: what there is of it by now.
        at: when, with its time zone.
        reason: why it failed, a sentence.
    """
    return RunEvent(
        eventType=state,
        eventTime=at.astimezone(datetime.UTC).isoformat(timespec="milliseconds"),
        run=Run(began.flow.run_id, facets=_run_facets(began, outcome, reason)),
        job=Job(_namespace(), began.config.run_name, facets=_job_facets(began)),
        inputs=inputs_of(began, outcome),
        outputs=outputs_of(began, outcome.summary),
        producer=PRODUCER,
    )


def _run_facets(began: Began, outcome: Outcome, reason: str | None) -> dict[str, Any]:
    tags = {"settings.digest": settings_digest(began.config)}
    if outcome.summary is not None:
        tags["mlflow.run_id"] = outcome.summary.run_id
    facets: dict[str, Any] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version("mixmatch"), name="mixmatch", producer=PRODUCER
        ),
        "tags": tags_run.TagsRunFacet(
            [tags_run.TagsRunFacetFields(k, v, SOURCE) for k, v in tags.items()], producer=PRODUCER
        ),
    }
    if began.parent is not None:
        facets["parent"] = parent_run.ParentRunFacet(
            parent_run.Run(began.parent.run_id),
            parent_run.Job(_namespace(), began.parent.name),
            producer=PRODUCER,
        )
    if reason is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            reason, "PYTHON", producer=PRODUCER
        )
    return facets


def _job_facets(began: Began) -> dict[str, Any]:
    what = f"Prunes {began.config.model.architecture} on {began.config.data.name}."
    return {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", SOURCE, "JOB", producer=PRODUCER),
        "documentation": documentation_job.DocumentationJobFacet(what, producer=PRODUCER),
    }


def _namespace() -> str:
    return os.environ.get(NAMESPACE_VARIABLE) or DEFAULT_NAMESPACE
