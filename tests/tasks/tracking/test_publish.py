"""What is published about a family, as MLflow then holds it."""

import json
from pathlib import Path

from mixmatch.digests import file_digest
from tasks.publish import track_results, version_family
from tasks.versioning import restore_files


def test_results_and_rivals_become_children_under_their_labels(
    site, parent_run, client, make_result, make_family, make_rival
):
    rivals = (make_rival(), make_rival("dense", sparsity=0.0, seed=0))
    family = make_family(make_result()).model_copy(update={"rivals": rivals})

    track_results(family, parent_run, site)

    experiment = client.get_run(parent_run).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent_run}'")
    kinds = {run.info.run_name: run.data.tags.get("kind") for run in children}
    assert kinds == {"balanced/magnitude/0": None, "SNIP@0.75/2": "rival", "dense/0": "rival"}


def test_the_family_is_versioned_with_its_int8_files(
    site, config, pack, make_result, make_family, make_int8, tmp_path
):
    packed, int8 = pack(1), pack(2)
    made = make_int8(int8.digest, size_bytes=int8.size_bytes)
    family = make_family(
        make_result("small", artifact=packed, on_size_front=True).model_copy(update={"int8": made}),
        make_result("other", artifact=packed),
    )
    base = family.base.model_copy(update={"artifact": packed})
    versioned = version_family(config, family.model_copy(update={"base": base}), site)
    restore_files(site, Path(versioned.pointer), tmp_path / "restored")
    names = {file.name: file_digest(file) for file in (tmp_path / "restored").iterdir()}
    figures = json.loads((tmp_path / "restored" / "family.json").read_text())["results"]
    del names["family.json"]
    assert names == {
        "base.safetensors": packed.digest,
        "small-magnitude-0.safetensors": packed.digest,
        "small-magnitude-0-int8.safetensors": int8.digest,
        "other-magnitude-0.safetensors": packed.digest,
    }
    assert [(x["on_size_front"], x["int8"]) for x in figures] == [
        (True, {"accuracy": 0.5, "validation_accuracy": 0.5, "digest": int8.digest}),
        (False, None),
    ]
