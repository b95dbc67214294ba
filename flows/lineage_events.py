"""OpenLineage hears how every run of a flow here begins and ends."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.context import FlowRunContext

from flows.session import Session
from flows.steps import sentence_of
from tasks.lineage_events import Began, FlowId, Outcome, RunEvents

_LOG = logging.getLogger(__name__)


def flow_here() -> FlowId | None:
    """Return the flow run that this is called in; None outside of one."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow is None:
        return None
    return FlowId(str(context.flow_run.id), context.flow.name)


@contextmanager
def run_told(session: Session, outcome: Outcome, parent: FlowId | None) -> Iterator[None]:
    """Tell OpenLineage of the body, in a flow run; whatever ends it goes on its way.

    What could not be told is said once: among the summary's warnings, else in the log.

    Args:
        session: of the flow run.
        outcome: the body fills it.
        parent: the flow that started this one.
    """
    events = RunEvents(_began(session, parent), outcome)
    events.began()
    try:
        yield
    except Exception as error:
        events.failed(sentence_of(error))
        raise
    except BaseException:
        events.stopped()
        raise
    else:
        events.completed()
    finally:
        _say(events.problem, outcome)


def _began(session: Session, parent: FlowId | None) -> Began:
    flow = flow_here()
    if flow is None:
        raise RuntimeError("Only a flow run can be told of.")
    return Began(
        flow=flow,
        config=session.config,
        site=session.site,
        data=session.inputs.data,
        checkpoint=session.inputs.checkpoint,
        parent=parent,
    )


def _say(problem: str | None, outcome: Outcome) -> None:
    if problem is None:
        return
    if outcome.summary is None:
        _LOG.warning(problem)
        return
    warnings = (*outcome.summary.warnings, problem)
    outcome.summary = outcome.summary.model_copy(update={"warnings": warnings})
