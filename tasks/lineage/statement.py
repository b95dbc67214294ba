"""A lineage as an in-toto Statement v1 with a SLSA Provenance v1 predicate, and back.

What these schemas have names for stands under these names; all of it once more under
``internalParameters.record``. Both are compared when a statement is read, so neither can be changed
alone.
"""

import json
from typing import Any, cast

from pydantic import ValidationError

from mixmatch.digests import json_digest
from mixmatch.errors import LineageError
from mixmatch.records import Lineage, StepTrace

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:mixmatch:family-member:1"

_EXTERNAL = ("name", "label", "settings")
_MATERIALS = (  # name, step, field of its record that holds an artifact
    ("data", "fetch", "artifact"),
    ("base", "base", "artifact"),
    ("scores", "sensitivity", "artifact"),
    ("curvature", "sensitivity", "curvature"),
)

Json = dict[str, Any]


def statement_bytes(lineage: Lineage) -> bytes:
    """Write a lineage as the JSON of an in-toto statement, checked by in-toto's own models.

    Keys keep their order: of layer patterns in the settings the first that matches wins.

    Raises:
        LineageError: the statement does not fit the published schemas.
    """
    statement = _statement(lineage)
    check_schemas(statement)
    return f"{json.dumps(statement, indent=1, allow_nan=False)}\n".encode()


def read_statement(content: bytes, source: str) -> Lineage:
    """Read the lineage of a statement.

    Args:
        content: of a lineage file.
        source: where it came from, for messages.

    Raises:
        LineageError: it is no such statement, or contradicts itself.
    """
    try:
        statement = json.loads(content)
        check_schemas(statement)
        build = statement["predicate"]["buildDefinition"]
        record = build["internalParameters"]["record"]
        lineage = Lineage.model_validate({**record, **build["externalParameters"]})
        again = json.loads(statement_bytes(lineage))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LineageError(
            f"The lineage {source} must be an in-toto statement of mixmatch, got {_reason(error)}."
        ) from error
    if (place := _difference(statement, again, "")) is not None:
        raise LineageError(
            f"The lineage {source} must say the same under all its names, but {place} is not what "
            "its record says."
        )
    return lineage


def check_schemas(statement: Json) -> None:
    """Check a statement by in-toto's own models of Statement v1 and SLSA Provenance v1.

    Raises:
        LineageError: it does not fit them.
    """
    from google.protobuf.json_format import ParseDict, ParseError  # noqa: PLC0415  needed rarely
    from in_toto_attestation.predicates.provenance.v1 import (  # noqa: PLC0415  likewise
        provenance_pb2,
    )
    from in_toto_attestation.v1 import statement_pb2  # noqa: PLC0415  likewise
    from in_toto_attestation.v1.statement import Statement  # noqa: PLC0415  likewise

    try:
        parsed = ParseDict(statement, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        ParseDict(statement["predicate"], cast(Any, provenance_pb2).Provenance())
        if (found := statement["predicateType"]) != PREDICATE_TYPE:
            raise ValueError(f"its predicate must be of type {PREDICATE_TYPE}, got {found}")
    except (ParseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LineageError(
            f"A lineage must fit in-toto's Statement v1 and SLSA's Provenance v1: {_reason(error)}."
        ) from error


def _statement(lineage: Lineage) -> Json:
    stated = lineage.model_dump(mode="json")
    external = {name: stated.pop(name) for name in _EXTERNAL}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": f"{lineage.label}.packed", "digest": {"sha256": lineage.subject.digest}}
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "internalParameters": {"record": stated},
                "resolvedDependencies": list(_materials(lineage)),
            },
            "runDetails": _run_details(lineage),
        },
    }


def _materials(lineage: Lineage) -> list[Json]:
    found: list[Json] = []
    for name, step, field in _MATERIALS:
        artifact = _record(lineage, step).get(field)
        if isinstance(artifact, dict):
            found.append({"name": name, "digest": {"sha256": artifact["digest"]}})
            found[-1] |= _origin(lineage, name)
    plan, member = lineage.step("plan"), lineage.step("member")
    if plan is not None:
        found.append({"name": "plan", "digest": {"sha256": json_digest(plan.record)}})
    if member is not None:
        found.append({"name": "mask", "digest": {"sha256": str(member.record["mask_digest"])}})
    found.append({"name": "settings", "digest": {"sha256": lineage.settings_digest}})
    return found


def _origin(lineage: Lineage, name: str) -> Json:
    """Return where a material came from, and DVC's hash of the folder that keeps it."""
    source = {"data": str(_record(lineage, "fetch").get("source")), "base": lineage.source}.get(
        name
    )
    annotations = {"source": source} if source else {}
    if (md5 := lineage.dvc.get("data" if name == "data" else "family")) is not None:
        annotations["dvc"] = md5
    is_uri = source is not None and ":" in source and not source.startswith("/")
    return {**({"uri": source} if is_uri else {}), "annotations": annotations}


def _run_details(lineage: Lineage) -> Json:
    builder, run = lineage.builder, lineage.run
    code: list[Json] = []
    if builder.commit is not None:
        annotations = {"clean": builder.clean}
        digest = {"gitCommit": builder.commit}
        code.append({"name": "code", "digest": digest, "annotations": annotations})
    if builder.lock_digest is not None:
        code.append({"name": "requirements.lock", "digest": {"sha256": builder.lock_digest}})
    versions = {"mixmatch": builder.version, "python": builder.python, **builder.packages}
    return {
        "builder": {
            "id": f"urn:mixmatch:builder:{builder.version}",
            "version": versions,
            "builderDependencies": code,
        },
        "metadata": {
            "invocationId": run.flow_run or run.mlflow_run,
            "startedOn": run.started,
            "finishedOn": run.finished,
        },
        "byproducts": [
            {
                "name": "figures",
                "digest": {"sha256": json_digest(lineage.figures)},
                "annotations": lineage.figures,
            }
        ],
    }


def _record(lineage: Lineage, step: str) -> Json:
    found: StepTrace | None = lineage.step(step)
    return {} if found is None else found.record


def _difference(found: object, expected: object, place: str) -> str | None:
    """Return the first place at which two JSON documents differ; None: nowhere."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in dict.fromkeys((*expected, *found)):
            inner = _difference(found.get(key), expected.get(key), f"{place}.{key}".lstrip("."))
            if inner is not None:
                return inner
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        differing = (_difference(a, b, f"{place}[{i}]") for i, (a, b) in pairs)
        return next((x for x in differing if x is not None), None)
    return None if found == expected else place


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(f"{type(error).__name__} {error}".split())[:200].rstrip(".")
