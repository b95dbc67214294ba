"""What a run reads and makes, as OpenLineage's data sets: each with its SHA-256 as version.

Tags have the names under which the registry keeps the same digests.
"""

from importlib.metadata import version
from typing import Any

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    dataset_type_dataset,
    dataset_version_dataset,
    documentation_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
    tags_dataset,
)

from mixmatch.records import DataRecord
from tasks.labels import member_label
from tasks.lineage_events.facts import Began, Outcome
from tasks.lineage_events.places import (
    checkpoint_place,
    data_place,
    place_of,
    stored_place,
    version_place,
)
from tasks.summary import BaseSummary, ResultRow, RunSummary
from tasks.tracking.connection import registry_uri

PRODUCER = f"urn:mixmatch:{version('mixmatch')}"  # whose events and facets these are
SOURCE = "MIXMATCH"  # whose tags

Facets = dict[str, Any]


def inputs_of(began: Began, outcome: Outcome) -> list[InputDataset]:
    """Describe the data set and, where the run does not train it, the base's trained weights."""
    place = data_place(began.config.data.name, began.data)
    facets = _identity("FILE", began.data.source_digest) | _data_facets(outcome.data)
    read = _read_facets(outcome.data)
    found = [InputDataset(place.namespace, place.name, facets=facets, inputFacets=read)]
    if (validation := began.config.data.validation_root) is not None:
        place = place_of(validation)
        # One digest stands for both folders.
        facets = _identity("FILE", began.data.source_digest)
        found.append(InputDataset(place.namespace, place.name, facets=facets))
    if began.checkpoint is not None:
        place = checkpoint_place(began.checkpoint, registry_uri(began.site))
        facets = _identity("MODEL", began.checkpoint.digest)
        if outcome.summary is not None:
            facets["tags"] = _tags({"base.digest": outcome.summary.base.digest})
        found.append(InputDataset(place.namespace, place.name, facets=facets))
    return found


def outputs_of(began: Began, summary: RunSummary | None) -> list[OutputDataset]:
    """Describe the base, if the run trains it, and every registered version."""
    if summary is None:
        return []
    bases = [_trained_base(began, summary.base)] if began.checkpoint is None else []
    rows = [row for row in summary.results if row.model_version is not None]
    return bases + [_version(began, row) for row in rows]


def _trained_base(began: Began, base: BaseSummary) -> OutputDataset:
    place = stored_place(began.site.store, base.digest)
    facets = _identity("MODEL", base.digest)
    facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(
        f"The base, {base.architecture}: test accuracy {100 * base.accuracy:.2f} %.",
        producer=PRODUCER,
    )
    facets["tags"] = _tags({"base.digest": base.digest})
    return _written(place.namespace, place.name, facets, base.bytes)


def _version(began: Began, row: ResultRow) -> OutputDataset:
    name, number = began.config.registered_name, int(row.model_version or 0)
    place = version_place(registry_uri(began.site), name, number)
    facets = _identity("MODEL", row.digest)
    facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(
        f"{member_label(row.strategy, row.criterion, row.seed)}: sparsity "
        f"{100 * row.sparsity:.2f} %, test accuracy {100 * row.accuracy:.2f} %.",
        producer=PRODUCER,
    )
    if row.int8 is not None:
        facets["tags"] = _tags({"int8.digest": row.int8.digest})
    return _written(place.namespace, place.name, facets, row.bytes)


def _written(namespace: str, name: str, facets: Facets, size_bytes: int) -> OutputDataset:
    written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        size=size_bytes, fileCount=1, producer=PRODUCER
    )
    return OutputDataset(namespace, name, facets=facets, outputFacets={"outputStatistics": written})


def _identity(kind: str, digest: str) -> Facets:
    return {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(digest, producer=PRODUCER),
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(kind, producer=PRODUCER),
    }


def _data_facets(data: DataRecord | None) -> Facets:
    """Say what an image is, and what the data set became in the store."""
    if data is None:
        return {}
    height, width, channels = data.image_shape
    fields = [
        schema_dataset.SchemaDatasetFacetFields("image", f"uint8[{height},{width},{channels}]"),
        schema_dataset.SchemaDatasetFacetFields("label", "int64"),
    ]
    return {
        "schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER),
        "tags": _tags({"data.digest": data.artifact.digest}),
    }


def _read_facets(data: DataRecord | None) -> Facets:
    if data is None:
        return {}
    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
        rowCount=sum(data.num_images.values()), producer=PRODUCER
    )
    return {"inputStatistics": read}


def _tags(values: dict[str, str]) -> tags_dataset.TagsDatasetFacet:
    fields = [tags_dataset.TagsDatasetFacetFields(k, v, SOURCE) for k, v in values.items()]
    return tags_dataset.TagsDatasetFacet(fields, producer=PRODUCER)
