"""What a registered network was made from: every step with its inputs, chained by digests."""

from mixmatch.digests import json_digest
from mixmatch.records.record import Artifact, Record


class StepTrace(Record):
    """One finished step, as the store keeps it.

    Attributes:
        step: its name: ``fetch``, ``base``, ``sensitivity``, ``targets``, ``plan``, ``member``,
            ``quantize``.
        key: SHA-256 of ``inputs``.
        inputs: all true inputs, plain JSON.
        record: what came out, plain JSON.
        before: digests of all traces before this one, in their order.
    """

    step: str
    key: str
    inputs: dict[str, object]
    record: dict[str, object]
    before: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of everything above, 64 hexadecimal characters."""
        return json_digest(self.model_dump(mode="json"))


class Builder(Record):
    """What computed it.

    Attributes:
        version: of mixmatch.
        commit: of this project's repository; None where it is not installed from one.
        clean: whether its tree had no changes; None likewise.
        packages: installed versions of the packages that decide numbers or files.
        lock_digest: SHA-256 of requirements.lock; None where there is none beside the code.
        python: its version.
        processor: model of the processor.
        system: operating system and machine type.
    """

    version: str
    commit: str | None
    clean: bool | None
    packages: dict[str, str]
    lock_digest: str | None
    python: str
    processor: str
    system: str


class FlowTrace(Record):
    """The run of the flow that registered it.

    Attributes:
        flow_run: Prefect's id of the flow run; None outside of one.
        task_runs: Prefect's ids of its task runs, by name, those of its fan-outs too.
        started: when the flow run began, ISO 8601, UTC.
    """

    flow_run: str | None
    task_runs: dict[str, str]
    started: str


class RunTrace(Record):
    """Which runs made and tracked it, and when.

    Attributes:
        mlflow_run: parent run.
        mlflow_child: run that the version names: the member's, or its parent where it has none.
        flow_run: Prefect's id of the flow run; None outside of one.
        task_run: Prefect's id of the member's task run in it; None where there was none.
        task_runs: Prefect's ids of the task runs of this flow run, by name, without other members.
        started: when the flow run began, ISO 8601, UTC.
        finished: when the version was made, likewise.
    """

    mlflow_run: str
    mlflow_child: str
    flow_run: str | None
    task_run: str | None
    task_runs: dict[str, str]
    started: str
    finished: str


class Lineage(Record):
    """The whole origin of one registered network.

    Attributes:
        name: registered model.
        label: of the member, for example ``balanced/magnitude/0``.
        subject: the packed file.
        source: where the base came from, and its URI where it has one.
        settings: the run file in full.
        settings_digest: SHA-256 of what in it differs from the defaults.
        dvc: DVC's hash by name of what was versioned: ``data``, ``family``.
        steps: from the data set to the network, each after those that it builds on.
        head: digest of the last of them.
        builder: what computed it.
        run: which runs made it.
        figures: as MLflow's run of the member has them, by metric.
        tags: what the registered version says of itself.
    """

    name: str
    label: str
    subject: Artifact
    source: str
    settings: dict[str, object]
    settings_digest: str
    dvc: dict[str, str]
    steps: tuple[StepTrace, ...]
    head: str
    builder: Builder
    run: RunTrace
    figures: dict[str, float]
    tags: dict[str, str]

    def step(self, name: str) -> StepTrace | None:
        """Return the last trace of a step, or None; of several members it is the version's own."""
        found = [trace for trace in self.steps if trace.step == name]
        return found[-1] if found else None
