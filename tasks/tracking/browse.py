"""What the registry holds, read only: starts no server, and creates no database."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mixmatch.errors import RegistryError
from mixmatch.records import Record
from tasks.site import Site
from tasks.tracking.connection import connect_if_there
from tasks.tracking.repeatable import PARENT_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel


class ModelRow(Record):
    """One registered model.

    Attributes:
        name: its registered name.
        num_versions: how many versions it has.
        latest_version: the newest of them; None where there is none.
        aliases: version by alias.
        updated: when it last changed, ISO 8601, UTC.
    """

    name: str
    num_versions: int
    latest_version: int | None
    aliases: dict[str, int]
    updated: str


class ModelDetail(Record):
    """One version of a registered model.

    Attributes:
        name: registered name.
        version: its number.
        aliases: those that point at it.
        created: ISO 8601, UTC.
        uri: where its files lie.
        run_id: the run that made it; None where it says none.
        tags: strategy, criterion, sparsity, accuracy, digests.
        metrics: final figures of that run.
        settings: parameters of the flow that made it.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    created: str
    uri: str
    run_id: str | None
    tags: dict[str, str]
    metrics: dict[str, float]
    settings: dict[str, str]


def list_models(site: Site) -> tuple[ModelRow, ...]:
    """Return every registered model by name; empty where nothing was ever tracked."""
    client = connect_if_there(site)
    if client is None:
        return ()
    rows = (_row(client, model) for model in _registered(client))
    return tuple(sorted(rows, key=lambda row: row.name))


def show_model(site: Site, reference: str) -> ModelDetail:
    """Return one version in full.

    Args:
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.

    Raises:
        RegistryError: there is no such model, alias or version; the message names those known.
    """
    client = connect_if_there(site)
    if client is None:
        raise RegistryError(_unknown_model(reference, ()))
    version = find_version(client, reference)
    metrics, settings = _made_by(client, version.run_id)
    return ModelDetail(
        name=version.name,
        version=int(version.version),
        aliases=tuple(sorted(version.aliases)),
        created=_iso(version.creation_timestamp),
        uri=version.source,
        run_id=version.run_id or None,
        tags=dict(version.tags),
        metrics=metrics,
        settings=settings,
    )


def find_version(client: "MlflowClient", reference: str) -> "ModelVersion":
    """Look up ``NAME``, ``NAME@alias`` or ``NAME/version``.

    Raises:
        RegistryError: there is no such model, alias or version; the message names those known.
    """
    name, alias, wanted = _split(reference)
    model = require_model(client, name)
    versions = {int(x.version): x for x in all_versions(client, name)}
    aliases = {key: int(value) for key, value in model.aliases.items()}
    if alias is not None and alias not in aliases:
        raise RegistryError(f"The alias of {name} must be one of {sorted(aliases)}, got {alias!r}.")
    if not versions:
        raise RegistryError(f"The registered model {name} must have a version; it has none yet.")
    newest = max(versions) if wanted is None else wanted
    number = newest if alias is None else aliases[alias]
    if number not in versions:
        raise RegistryError(
            f"The version of {name} must be one of {sorted(versions)}, got {number}."
        )
    # Searching leaves aliases out.
    return client.get_model_version(name, str(number))


def require_model(client: "MlflowClient", name: str) -> "RegisteredModel":
    """Return a registered model.

    Raises:
        RegistryError: there is none of this name; the message names those known.
    """
    models = {model.name: model for model in _registered(client)}
    if name not in models:
        raise RegistryError(_unknown_model(name, models))
    return models[name]


def _split(reference: str) -> tuple[str, str | None, int | None]:
    """Read a reference as name, alias, version; at most one of the latter two is given."""
    name, at, alias = reference.partition("@")
    if at:
        return name, alias, None
    name, slash, version = reference.partition("/")
    if slash and not version.isdecimal():
        raise RegistryError(
            f"A model must be named NAME, NAME@alias or NAME/version with a number, "
            f"got {reference!r}."
        )
    return name, None, int(version) if slash else None


def _unknown_model(name: str, known: Iterable[str]) -> str:
    listed = ", ".join(sorted(known)) or "none yet"
    return f"There is no registered model {name!r}; known: {listed}."


def _row(client: "MlflowClient", model: "RegisteredModel") -> ModelRow:
    numbers = [int(version.version) for version in all_versions(client, model.name)]
    return ModelRow(
        name=model.name,
        num_versions=len(numbers),
        latest_version=max(numbers, default=None),
        aliases={alias: int(version) for alias, version in model.aliases.items()},
        updated=_iso(model.last_updated_timestamp),
    )


def _registered(client: "MlflowClient") -> "Iterator[RegisteredModel]":
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def all_versions(client: "MlflowClient", name: str) -> "Iterator[ModelVersion]":
    """Yield every version of a model, without its aliases."""
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _made_by(client: "MlflowClient", run_id: str | None) -> tuple[dict[str, float], dict[str, str]]:
    """Return the metrics of a version's run and the settings of that run's parent."""
    if not run_id:
        return {}, {}
    run = client.get_run(run_id)
    parent = run.data.tags.get(PARENT_TAG)
    flow = client.get_run(parent) if parent else run
    return dict(run.data.metrics), dict(flow.data.params)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
