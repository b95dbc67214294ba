"""Everything of ours that MLflow holds, for retention: versions, runs, logged models."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mixmatch.records import Record
from tasks.site import Site
from tasks.tracking.browse import all_versions, list_models
from tasks.tracking.connection import connect_if_there
from tasks.tracking.repeatable import KEY_TAG, PARENT_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_OURS = f"tags.`{KEY_TAG}` LIKE '%'"
_DVC_TAGS = ("dvc.data.md5", "dvc.family.md5")
_FRONTS = ("on_front", "on_size_front")


class HeldVersion(Record):
    """One registered version.

    Attributes:
        name: registered model.
        version: its number.
        created: seconds since 1970.
        run_id: the run that it names; None where it names none.
        aliases: that point at it.
        tags: of the version.
    """

    name: str
    version: int
    created: float
    run_id: str | None
    aliases: tuple[str, ...]
    tags: dict[str, str]

    @property
    def reference(self) -> str:
        """``NAME/version``."""
        return f"{self.name}/{self.version}"


class HeldRun(Record):
    """One run, a flow's or a member's.

    Attributes:
        run_id: MLflow's identifier.
        experiment: identifier of its experiment.
        parent: the flow's run; None: it is one.
        key: our key of it.
        started: seconds since 1970.
        ended: likewise; None: it still runs.
        is_deleted: whether a person has deleted it.
        on_front: whether its member is on a front of its family.
        digest: of the member's packed file.
        dvc: DVC's hashes of data set and family.
    """

    run_id: str
    experiment: str
    parent: str | None
    key: str
    started: float
    ended: float | None
    is_deleted: bool
    on_front: bool
    digest: str | None
    dvc: tuple[str, ...]


class HeldModel(Record):
    """The files of one version, as MLflow logged them.

    Attributes:
        model_id: MLflow's identifier.
        created: seconds since 1970.
    """

    model_id: str
    created: float


class Holdings(Record):
    """All of ours.

    Attributes:
        versions: of every registered model.
        runs: those with our key, also the deleted ones.
        models: those that mixmatch logged.
    """

    versions: tuple[HeldVersion, ...]
    runs: tuple[HeldRun, ...]
    models: tuple[HeldModel, ...]


def holdings(site: Site) -> Holdings | None:
    """Return everything; None where nothing was ever tracked."""
    client = connect_if_there(site)
    if client is None:
        return None
    experiments = list(_experiments(client))
    return Holdings(
        versions=tuple(_versions(client, site)),
        runs=tuple(_runs(client, experiments)),
        models=tuple(_models(client, experiments)),
    )


def _experiments(client: "MlflowClient") -> Iterator[str]:
    token = None
    while True:
        page = client.search_experiments(view_type=_everything(), page_token=token)
        yield from (x.experiment_id for x in page)
        token = page.token
        if not token:
            return


def _everything() -> int:
    from mlflow.entities import ViewType  # noqa: PLC0415  takes seconds

    return int(ViewType.ALL)


def _versions(client: "MlflowClient", site: Site) -> Iterator[HeldVersion]:
    for model in list_models(site):
        for found in all_versions(client, model.name):
            number = int(found.version)
            yield HeldVersion(
                name=model.name,
                version=number,
                created=found.creation_timestamp / 1000,
                run_id=found.run_id or None,
                aliases=tuple(sorted(a for a, v in model.aliases.items() if v == number)),
                tags=dict(found.tags),
            )


def _runs(client: "MlflowClient", experiments: list[str]) -> Iterator[HeldRun]:
    token = None
    while experiments:
        page = client.search_runs(experiments, _OURS, run_view_type=_everything(), page_token=token)
        yield from (_run(run) for run in page)
        token = page.token
        if not token:
            return


def _run(run: "Run") -> HeldRun:
    tags, metrics = run.data.tags, run.data.metrics
    ended = run.info.end_time
    # One that was killed and not reaped yet has no end; who lives is asked before all this.
    return HeldRun(
        run_id=run.info.run_id,
        experiment=run.info.experiment_id,
        parent=tags.get(PARENT_TAG),
        key=tags[KEY_TAG],
        started=run.info.start_time / 1000,
        ended=None if run.info.status == "RUNNING" or ended is None else ended / 1000,
        is_deleted=run.info.lifecycle_stage == "deleted",
        on_front=any(metrics.get(front) == 1.0 for front in _FRONTS),
        digest=tags.get("mixmatch.digest"),
        dvc=tuple(tags[name] for name in _DVC_TAGS if name in tags),
    )


def _models(client: "MlflowClient", experiments: list[str]) -> Iterator[HeldModel]:
    token = None
    while experiments:
        page = client.search_logged_models(experiments, page_token=token)
        for model in page:
            if {"key", "digest"} <= model.tags.keys():
                yield HeldModel(model_id=model.model_id, created=model.creation_timestamp / 1000)
        token = page.token
        if not token:
            return
