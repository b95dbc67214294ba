"""An attacker who owns registry, store and lineage: one fact changed, and all that depends on it.

What no step of the chain says differently than before is left; digests, keys, tags, figures,
parameters and stored records follow.
"""

import hashlib
import json
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

from mixmatch.config import parse_run_config
from mixmatch.digests import json_digest
from mixmatch.records import SCHEMA_VERSION, Lineage
from tasks.audit.papers import result_of
from tasks.lineage import read_statement, statement_bytes
from tasks.tracking.registry import version_tags
from tasks.tracking.results import result_metrics
from tasks.tracking.runs import flat_settings
from tests.flows.tampering import changed, created, rewritten


@contextmanager
def forged(site, version, papers, change):
    """Have a lineage for a while that ``change`` was made to, consistently.

    Args:
        site: where registry and store are.
        version: whose lineage it is.
        papers: folder of the registered version.
        change: rewrites the lineage's record, plain JSON, in place.
    """
    file = papers / "lineage.json"
    record = read_statement(file.read_bytes(), "before").model_dump(mode="json")
    change(record)
    _chain(record)
    lineage = _figures(Lineage.model_validate(record))
    content = statement_bytes(lineage)
    store = site.open_workspace().store
    with ExitStack() as stack:
        stack.enter_context(changed(file, content))
        for trace in lineage.steps:
            stated = {"schema": SCHEMA_VERSION, "step": trace.step, "key": trace.key}
            stored = {**stated, "inputs": trace.inputs, "record": trace.record}
            place = store / "records" / trace.step / f"{trace.key}.json"
            stack.enter_context(created(place, json.dumps(stored).encode()))
        changes = list(_tracked(version, lineage, hashlib.sha256(content).hexdigest()))
        stack.enter_context(rewritten(site, changes))
        yield


def replaced(record, old, new):
    """Name another digest wherever one is named."""
    text = json.dumps(record)
    assert old in text
    record |= json.loads(text.replace(old, new))


def step(record, name):
    """Return a step of a lineage's record."""
    return [x for x in record["steps"] if x["step"] == name][-1]


@contextmanager
def stored(site, content):
    """Have a file in the store for a while, and return its digest."""
    digest = hashlib.sha256(content).hexdigest()
    with created(site.open_workspace().store / "objects" / digest[:2] / digest, content):
        yield digest


@contextmanager
def in_remote(site, listing, inside, content):
    """Have a folder in DVC's remote for a while with another file; return DVC's hash of it.

    Args:
        site: whose remote it is.
        listing: DVC's hash of the folder that it is made from.
        inside: path of the file in it.
        content: of the file.
    """
    root = site.open_workspace().dvc_remote / "files" / "md5"
    files = json.loads((root / listing[:2] / listing[2:]).read_text())
    file = hashlib.md5(content, usedforsecurity=False).hexdigest()
    files = [x | {"md5": file} if x["relpath"] == inside else x for x in files]
    assert file in {x["md5"] for x in files}
    text = json.dumps(files).encode()
    folder = f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
    with ExitStack() as stack:
        for name, bytes_ in ((file, content), (folder, text)):
            stack.enter_context(created(root / name[:2] / name[2:], bytes_))
        yield folder


def _chain(record):
    """Compute keys and digests of all steps again."""
    digests = []
    for trace in record["steps"]:
        trace["key"] = json_digest(trace["inputs"])
        trace["before"] = list(digests)
        digests.append(json_digest(trace))
    record["head"] = digests[-1]


def _figures(lineage):
    """Let tags and figures be those of the member's record."""
    result = result_of(SimpleNamespace(read=lineage))
    tags = {**lineage.tags, **version_tags(result)}
    return lineage.model_copy(update={"tags": tags, "figures": result_metrics(result)})


def _tracked(version, lineage, digest):
    """Yield what MLflow must say."""
    of_version = f"name = '{version.name}' and version = {version.version}"
    for key, value in {**lineage.tags, "lineage.digest": digest}.items():
        yield "model_version_tags", "value", value, f"{of_version} and key = '{key}'"
    child, run = (f"run_uuid = '{x}'" for x in (lineage.run.mlflow_child, lineage.run.mlflow_run))
    for key, value in lineage.figures.items():
        yield "latest_metrics", "value", value, f"{child} and key = '{key}'"
    for key, tag in (("mixmatch.digest", "digest"), ("mixmatch.mask_digest", "mask_digest")):
        yield "tags", "value", lineage.tags[tag], f"{child} and key = '{key}'"
    for key, value in flat_settings(parse_run_config(lineage.settings, "forged")).items():
        yield "params", "value", value, f"{run} and key = '{key}'"
    told = {"settings.digest": lineage.settings_digest}
    told |= {x: lineage.tags[x] for x in ("data.digest", "data.source_digest", "base.digest")}
    told |= {f"dvc.{name}.md5": md5 for name, md5 in lineage.dvc.items()}
    for key, value in told.items():
        yield "tags", "value", value, f"{run} and key = '{key}'"
