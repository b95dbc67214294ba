"""What others are told of a run: by webhook and as a Prefect event, with the same facts."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flows.failures import listed
from mixmatch.config import RunConfig
from mixmatch.records import FamilyRecord
from tasks.labels import member_label
from tasks.notify import FAILED, NEW_FRONT, notify

_LOG = logging.getLogger(__name__)


def announce(config: RunConfig, event: str, facts: Mapping[str, object]) -> tuple[str, ...]:
    """Tell Prefect's server and every webhook of the run file.

    Args:
        config: the run file.
        event: its name, from ``tasks.notify``.
        facts: what is known of it, plain JSON.

    Returns:
        A sentence for each webhook that was not told.
    """
    _emit(config, event, facts)
    return notify(config.notify, event, {"name": config.run_name, **facts})


@contextmanager
def failures_told(config: RunConfig) -> Iterator[None]:
    """Tell the webhooks of whatever ends the body, except an interrupt; then it goes on its way."""
    try:
        yield
    except Exception as error:
        facts = {"name": config.run_name, "reason": _reason(error)}
        for warning in notify(config.notify, FAILED, facts):
            _LOG.warning(warning)
        raise


@contextmanager
def failures_emitted(config: RunConfig) -> Iterator[None]:
    """Tell Prefect's server, which must be up, of whatever ends the body likewise."""
    try:
        yield
    except Exception as error:
        _emit(config, FAILED, {"reason": _reason(error)})
        raise


@contextmanager
def failures_announced(config: RunConfig) -> Iterator[None]:
    """Tell both of whatever ends the body likewise; Prefect's server must be up."""
    with failures_told(config), failures_emitted(config):
        yield


def announce_failures(config: RunConfig, run_id: str, failed: Mapping[str, str]) -> tuple[str, ...]:
    """Announce the members that failed although the run goes on; sentences as ``announce``."""
    if not failed:
        return ()
    facts = {"reason": f"{len(failed)} results failed: {listed(failed)}.", "run_id": run_id}
    return announce(config, FAILED, facts)


def announce_front(
    config: RunConfig, run_id: str, family: FamilyRecord, versions: Mapping[str, int]
) -> tuple[str, ...]:
    """Announce the front of a run that has none of before; sentences as ``announce``.

    Args:
        config: the run file.
        run_id: MLflow's id of the parent run.
        family: with its fronts.
        versions: in the registry, by result key; empty where nothing is registered.
    """
    front = [
        {
            "label": member_label(x.strategy, x.criterion, x.seed),
            "sparsity": x.member.sparsity,
            "validation_accuracy": x.member.validation.value,
            "accuracy": x.member.test.value,
            "bytes": x.member.artifact.size_bytes,
            "digest": x.member.artifact.digest,
            "model_version": versions.get(x.key),
        }
        for x in family.results
        if x.on_front
    ]
    model = config.registered_name if versions else None
    facts = {"run_id": run_id, "model": model, "base": family.base.artifact.digest, "front": front}
    return announce(config, NEW_FRONT, facts)


def _emit(config: RunConfig, event: str, facts: Mapping[str, object]) -> None:
    from prefect.events import emit_event  # noqa: PLC0415  Prefect takes a second to load

    resource = {"prefect.resource.id": f"mixmatch.run.{config.run_name}"}
    payload: dict[str, Any] = dict(facts)
    emit_event(event=event, resource=resource, payload=payload)


def _reason(error: Exception) -> str:
    from flows.steps import sentence_of  # noqa: PLC0415  likewise

    return sentence_of(error)
