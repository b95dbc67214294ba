"""The steps of a run, as the flow calls them: from the store if it holds them, else computed.

What computes is imported only then: a run that finds everything never loads timm.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar, cast

from mixmatch.records import (
    BaseRecord,
    LatencyRecord,
    MemberRecord,
    PlanRecord,
    QuantizedRecord,
    Record,
    RivalsRecord,
    SensitivityRecord,
    TargetsRecord,
)
from tasks.checkpoint import LocatedCheckpoint
from tasks.fetch import fetch_data
from tasks.jobs import (
    BaseJob,
    Job,
    LatencyJob,
    MemberJob,
    PlanJob,
    QuantizeJob,
    RivalsJob,
    SensitivityJob,
    TargetsJob,
)
from tasks.site import Site

R = TypeVar("R", bound=Record)


def make_base(job: BaseJob, checkpoint: LocatedCheckpoint | None, site: Site) -> BaseRecord:
    """Load or train the base network, and evaluate it.

    Args:
        job: what to load or train.
        checkpoint: where the weights come from; None: train.
        site: workspace and store.

    Raises:
        CheckpointError: the checkpoint is corrupt or of another architecture.
        ConfigError: the architecture is unknown or refuses the image size.
        TrainingError: the training diverged.
    """
    return _step(job, site, BaseRecord, lambda: _from("base")(job, checkpoint, site))


def measure_sensitivity(job: SensitivityJob, site: Site) -> SensitivityRecord:
    """Measure gradients on the calibration images, once for all strategies and criteria."""
    return _step(job, site, SensitivityRecord, lambda: _from("sensitivity")(job, site))


def make_plan(job: PlanJob, site: Site) -> PlanRecord:
    """Find the ranges of all layers, and plan every strategy.

    Raises:
        ConfigError: a layer pattern of the run file matches no layer.
        LayerError: the network has no prunable layer.
        ScoreError: a score is NaN or infinite.
    """
    return _step(job, site, PlanRecord, lambda: _from("plan")(job, site))


def choose_targets(job: TargetsJob, site: Site) -> TargetsRecord:
    """Find the global targets by untrained validation accuracy.

    Raises:
        ConfigError: a layer pattern of the run file matches no layer.
        ScoreError: a score is NaN or infinite.
    """
    return _step(job, site, TargetsRecord, lambda: _from("targets")(job, site))


def plan_rivals(job: RivalsJob, site: Site) -> RivalsRecord:
    """Find what each rival prunes at each sparsity.

    Raises:
        ScoreError: a score is NaN or infinite.
    """
    return _step(job, site, RivalsRecord, lambda: _from("rivals")(job, site))


def make_member(job: MemberJob, site: Site, label: str) -> MemberRecord:
    """Prune, fine-tune and evaluate one member of the family.

    Args:
        job: which weights go, and how the rest is fine-tuned.
        site: workspace and store.
        label: how bars and logs call it.

    Raises:
        ScoreError: the criterion gave NaN or infinite scores.
        TrainingError: fine-tuning diverged, or the result is not as sparse as its mask.
    """
    return _step(job, site, MemberRecord, lambda: _from("member")(job, site, label))


def make_quantized(job: QuantizeJob, site: Site, label: str) -> QuantizedRecord:
    """Round a member's weights to int8, evaluate it again, and write its file.

    Args:
        job: which member, and how it was evaluated.
        site: workspace and store.
        label: how bars and logs call it.

    Raises:
        ArtifactError: the store lacks the member's file or the data set.
        PackedFormatError: the member's file is damaged, or a weight is not finite.
        TrainingError: the rounded network gives NaN or infinity.
    """
    return _step(job, site, QuantizedRecord, lambda: _from("quantize")(job, site, label))


def measure_latency(job: LatencyJob, site: Site) -> LatencyRecord:
    """Time the base and members on this machine, in PyTorch and in ONNX Runtime.

    Raises:
        ArtifactError: the store lacks a network or the data set.
        ConfigError: the network cannot be exported to ONNX.
        PackedFormatError: a member's file is damaged.
    """
    return _step(job, site, LatencyRecord, lambda: _from("latency")(job, site))


def _step(job: Job, site: Site, kind: type[R], compute: Callable[[], object]) -> R:
    """Return the stored record of ``job``, or compute it and store it."""
    store = site.open_store()
    if found := store.find(job.step, job.key, kind):
        return found
    record = cast(R, compute())
    # Whoever was faster, on a worker that was given up or another machine, may be in use by now.
    if (faster := store.find(job.step, job.key, kind)) is None:
        store.commit(job.step, job.key, job.inputs, record)
    # Only now: a process that dies before would find neither the record nor its way back.
    if site.open_workspace().training_file(job.key).exists():
        from tasks.interruption import Clock, Interruption  # noqa: PLC0415  torch is slow to load

        Interruption.of(site, job, Clock.start()).end()
    return faster or record


def _from(module: str) -> Callable[..., object]:
    """Return the function that computes a step: ``compute`` of its module."""
    return cast(Callable[..., object], import_module(f"tasks.{module}").compute)


__all__ = [
    "choose_targets",
    "fetch_data",
    "make_base",
    "make_member",
    "make_plan",
    "make_quantized",
    "measure_latency",
    "measure_sensitivity",
    "plan_rivals",
]
