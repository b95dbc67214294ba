"""Where the materials came from: settings, code, DVC's remote, the base's source, MLflow's runs."""

from functools import partial

from mixmatch.config import RunConfig, parse_run_config
from mixmatch.digests import file_digest
from mixmatch.errors import CheckpointError, ConfigError, RegistryError
from mixmatch.records import Artifact, Lineage, QuantizedRecord
from tasks.audit.case import Case, artifacts_of
from tasks.audit.chain import file_link, step_names
from tasks.audit.links import Finding, Walk, compared, never_there, unknown
from tasks.audit.papers import compared_mappings
from tasks.checkpoint import locate_checkpoint
from tasks.jobs import MemberJob
from tasks.lineage.builder import commit_exists
from tasks.lineage.kept import OBJECTS
from tasks.run_file import settings_digest
from tasks.tracking.deployment import INT8_ARTIFACT, INT8_DIGEST_TAG
from tasks.tracking.evidence import VersionEvidence, run_files
from tasks.tracking.runs import flat_settings
from tasks.versioning.remote import read_remote

_TRAINED = "trained"
_DECIDE = (
    *("seed", "data", "model", "criteria", "calibration_fraction", "calibration_batch", "ranges"),
    *("fine_tune", "seeds"),
)
_PLACES = ("data.root", "data.validation_root", "model.checkpoint")
_MAX_VALUE_LENGTH = 6000  # of a parameter; MLflow's limit


def walk_origins(walk: Walk, case: Case) -> None:
    """Check settings, code, remote, source and runs."""
    walk.check("settings/digest", partial(_settings, case))
    walk.check("code/commit", partial(_commit, case))
    if case.read.source != _TRAINED:
        walk.check("base/source", partial(_source, case), needs=("base/digest", "settings/digest"))
    for name, md5 in case.read.dvc.items():
        walk.check(f"dvc/{name}", partial(_folder, case, md5))
    _walk_remote(walk, case)
    walk.check("run/figures", partial(_figures, case))
    walk.check("run/settings", partial(_run_settings, case), needs=("settings/digest",))
    walk.check("run/tags", partial(_run_tags, case))
    walk.check("run/int8", partial(_int8, case), needs=("quantize/digest",))


def config_of(case: Case) -> RunConfig:
    """Return the recorded settings.

    Raises:
        ConfigError: this version of mixmatch does not know them.
    """
    return parse_run_config(case.read.settings, "the lineage's settings")


def _settings(case: Case) -> Finding:
    try:
        config = config_of(case)
    except ConfigError as error:
        return unknown(f"this mixmatch cannot read them: {error}", case.read.settings_digest)
    return compared(case.read.settings_digest, settings_digest(config))


def _commit(case: Case) -> Finding:
    builder = case.read.builder
    if builder.commit is None:
        return never_there("it was made by an installed package, which has no commit")
    exists = case.memo.once(("commit", builder.commit), lambda: commit_exists(builder.commit or ""))
    if exists is None:
        return unknown("this mixmatch does not run from a whole repository", builder.commit)
    if not exists:
        return Finding(builder.commit, None, ok=False, why="the repository has no such commit")
    return Finding(
        builder.commit,
        builder.commit,
        ok=True,
        why=None if builder.clean else "its tree had changes that no commit holds",
    )


def _source(case: Case) -> Finding:
    """Compare the base's checkpoint with what lies at its source now."""
    base = case.read.step("base")
    expected = base.inputs.get("checkpoint_digest") if base is not None else None
    settings = config_of(case).model
    if case.read.source.startswith("models:/"):  # the version, not the alias that the run file says
        settings = settings.model_copy(update={"checkpoint": case.read.source})
    try:
        found = locate_checkpoint(settings, case.site)
    except (CheckpointError, RegistryError) as error:
        return unknown(f"the source is gone: {error}", expected)
    return compared(expected, found.digest if found else None)


def _folder(case: Case, md5: str) -> Finding:
    remote = case.memo.once(("remote", md5), lambda: read_remote(case.site, md5))
    if remote is None:
        return unknown("this workspace has no DVC repository", md5)
    if remote.md5 is None:
        return unknown("the remote does not hold it", md5)
    return compared(md5, remote.md5)


def _walk_remote(walk: Walk, case: Case) -> None:
    """Check every file of the chain that DVC keeps."""
    for name, trace in step_names(case.read.steps).items():
        for field, artifact in artifacts_of(trace).items():
            link = f"{name}/remote" if field == "artifact" else f"{name}/remote {file_link(field)}"
            folder = "data" if trace.step == "fetch" else "family"
            inside = _place(case.read, name, artifact)
            walk.check(
                link,
                partial(_remote_file, case, folder, inside, artifact),
                needs=(f"dvc/{folder}", f"{name}/digest"),
            )


def _place(lineage: Lineage, name: str, artifact: Artifact) -> str:
    """Return where a step's file lies in its folder under DVC."""
    own = lineage.label.replace("/", "-")
    named = {
        "fetch": "dataset.safetensors",
        "base": "base.safetensors",
        MemberJob.step: f"{own}.safetensors",
        "quantize": f"{own}-int8.safetensors",
    }
    return named.get(name, f"{OBJECTS}/{artifact.digest}")


def _remote_file(case: Case, folder: str, inside: str, artifact: Artifact) -> Finding:
    md5 = case.read.dvc.get(folder)
    if md5 is None:
        return unknown("it was not put under DVC", artifact.digest)
    remote = case.memo.once(("remote", md5), lambda: read_remote(case.site, md5))
    file = remote.files.get(inside) if remote is not None else None
    if file is None or file.sha256 is None:
        return unknown("the remote does not hold it", artifact.digest)
    return compared(artifact.digest, file.sha256)


def _figures(case: Case) -> Finding:
    """Compare the recorded figures with those of the member's run."""
    run = case.run(case.read.run.mlflow_child)
    if run is None:
        return unknown("its MLflow run is deleted")
    if not run.tags.get("mixmatch.digest"):
        return never_there("the version names the run of the flow: its member has none")
    expected = {name: repr(value) for name, value in case.read.figures.items()}
    digests = {"digest": case.read.subject.digest, "mask": str(case.read.tags.get("mask_digest"))}
    found = {name: repr(value) for name, value in run.metrics.items()}
    said = {
        "digest": run.tags.get("mixmatch.digest", "missing"),
        "mask": run.tags.get("mixmatch.mask_digest", "missing"),
    }
    return compared_mappings({**expected, **digests}, {**found, **said})


def _run_settings(case: Case) -> Finding:
    """Compare the settings with the parameters of the flow's run."""
    run = case.run(case.read.run.mlflow_run)
    if run is None:
        return unknown("its MLflow run is deleted")
    # A run that was resumed keeps its first parameters: those that change no number may differ.
    expected = {
        name: value[:_MAX_VALUE_LENGTH]
        for name, value in flat_settings(config_of(case)).items()
        if name.partition(".")[0] in _DECIDE and name not in _PLACES
    }
    tag = {"settings.digest": case.read.settings_digest}
    said = {"settings.digest": run.tags.get("settings.digest", "missing")}
    return compared_mappings({**expected, **tag}, {**run.params, **said})


def _run_tags(case: Case) -> Finding:
    """Compare the digests with those that the flow's run names."""
    run = case.run(case.read.run.mlflow_run)
    if run is None:
        return unknown("its MLflow run is deleted")
    names = ("data.digest", "data.source_digest", "base.digest")
    expected = {name: case.read.tags[name] for name in names if name in case.read.tags}
    expected |= {f"dvc.{name}.md5": md5 for name, md5 in case.read.dvc.items()}
    return compared_mappings(expected, run.tags)


def _int8(case: Case) -> Finding:
    """Compare the int8 file that the version names with its step, and with MLflow's copy."""
    version, trace = case.version, case.read.step("quantize")
    said = version.tags.get(INT8_DIGEST_TAG) if version is not None else None
    made = artifacts_of(trace)["artifact"].digest if trace is not None else None
    if said is None:
        why = "the version names no int8 file"
        return never_there(why) if made is None else unknown(why, made)
    if made is None:
        return never_there("it was added after the lineage was written", said)
    if said != made or version is None or trace is None:
        return compared(made, said)
    record = QuantizedRecord.model_validate(trace.record)
    figures = {
        "int8.bytes": str(record.artifact.size_bytes),
        "int8.accuracy": str(record.test.value),
    }
    told = compared_mappings(figures, version.tags)
    return _int8_file(case, version, record.artifact) if told.ok else told


def _int8_file(case: Case, version: VersionEvidence, made: Artifact) -> Finding:
    if case.run(version.run_id) is None:
        return unknown("its MLflow run is deleted", made.digest)
    with run_files(case.site, str(version.run_id), INT8_ARTIFACT) as file:
        if file is None:
            return compared(made.digest, None)
        size = file.stat().st_size
        if size != made.size_bytes:
            return compared(f"{made.size_bytes} bytes", f"{size} bytes")
        return compared(made.digest, file_digest(file))
