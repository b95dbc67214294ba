"""Forged lineages that agree with themselves: the link that recomputes is the one that notices.

Of every forgery the digests, keys, tags, figures, parameters and stored records follow.
"""

import hashlib
import json
from contextlib import ExitStack

import pytest

from mixmatch import load_packed
from mixmatch.config import parse_run_config
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import mask_digest
from mixmatch.packed import save_packed
from mixmatch.records import LedgerEntry, ModelSpec
from tasks.audit import Extent, audit_model
from tasks.audit.method import job_of
from tasks.jobs import PlanJob
from tasks.ledger import append, read_ledger
from tasks.networks import open_network
from tasks.plan import make_plan
from tasks.run_file import settings_digest
from tests.flows.forgery import forged, in_remote, replaced, step, stored
from tests.flows.tampering import changed, rewritten

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def site(audited_site):
    return audited_site


def broken(site, version, extent=None):
    (found,) = audit_model(site, version.reference, extent or Extent()).versions
    return [link.name for link in found.failed]


def unchecked(site, version):
    (found,) = audit_model(site, version.reference).versions
    return {link.name for link in found.unchecked} - {"lineage/signature"}


def nothing(record):
    del record


def fewer_weights(record):
    member = step(record, "member")["record"]
    member["num_nonzero"] -= 1
    member["sparsity"] = 1 - member["num_nonzero"] / member["num_weights"]


def another_mask(record):
    step(record, "member")["record"]["mask_digest"] = "0" * 64


def another_size(record):
    size = record["subject"]["size_bytes"]
    replaced(record, f'"size_bytes": {size}', f'"size_bytes": {size - 1}')


def another_count(record):
    """Let strategy and member prune one weight more, in one layer."""
    member = step(record, "member")["inputs"]["num_pruned"]
    layer = next(iter(member))
    strategy = record["label"].split("/")[0]
    (planned,) = (x for x in step(record, "plan")["record"]["strategies"] if x["name"] == strategy)
    planned["num_pruned"][layer] += 1
    member[layer] += 1


def another_count_of_the_member(record):
    member = step(record, "member")["inputs"]["num_pruned"]
    member[next(iter(member))] += 1


def another_range(record):
    layer = step(record, "plan")["record"]["layers"][0]
    layer["range"] = [layer["range"][0], layer["range"][1] / 2]


def another_learning_rate(record):
    step(record, "member")["inputs"]["fine_tune"]["learning_rate"] = 1e-3


def another_seed_of_the_split(record):
    step(record, "fetch")["inputs"]["seed"] = 7


def more_epochs_of_the_base(record):
    step(record, "base")["inputs"]["settings"]["train"]["epochs"] = 30


def another_batch_of_the_calibration(record):
    step(record, "sensitivity")["inputs"]["batch"] = 64


def no_sensitivity(record):
    record["steps"] = [x for x in record["steps"] if x["step"] != "sensitivity"]


def other_settings(record):
    record["settings"]["fine_tune"]["learning_rate"] = 1e-3
    record["settings_digest"] = settings_digest(parse_run_config(record["settings"], "forged"))


def settings_with_the_old_digest(record):
    record["settings"]["fine_tune"]["learning_rate"] = 1e-3


def no_such_commit(record):
    record["builder"]["commit"] = "0" * 40


FORGERIES = {
    fewer_weights: ["member/zeros"],
    another_mask: ["member/mask"],
    another_size: ["registry/file"],
    another_count: ["plan/strategies"],
    another_count_of_the_member: ["member/counts"],
    another_range: ["plan/ranges"],
    another_learning_rate: ["member/asked"],
    another_seed_of_the_split: ["fetch/asked"],
    more_epochs_of_the_base: ["base/asked"],
    another_batch_of_the_calibration: ["sensitivity/asked"],
    other_settings: ["member/asked"],
    settings_with_the_old_digest: ["settings/digest"],
    no_such_commit: ["code/commit"],
    nothing: [],
}


@pytest.mark.parametrize("change", FORGERIES, ids=lambda x: x.__name__)
def test_a_forged_fact_is_noticed_by_the_link_that_recomputes_it(site, version, papers, change):
    with forged(site, version, papers, change):
        assert broken(site, version) == FORGERIES[change]


def test_a_step_that_was_taken_out_is_missed(site, version, papers):
    with forged(site, version, papers, no_sensitivity):
        assert broken(site, version) == ["plan/materials", "sensitivity/asked"]


def test_a_plan_from_other_targets_is_not_what_the_settings_ask(site, version, papers):
    def change(record):
        trace = step(record, "plan")
        trace["inputs"]["ranges"]["targets"] = [0.5]
        job = job_of(_Trace(trace), PlanJob)
        model = open_network(site.open_store(), job.base, job.spec)
        plan = make_plan(job, site.open_store(), model).model_dump(mode="json")
        kept = {x["name"]: x for x in trace["record"]["strategies"]}
        # The weights are there: of their strategy the counts cannot be others.
        name = record["label"].split("/")[0]
        plan["strategies"] = [kept[name] if x["name"] == name else x for x in plan["strategies"]]
        trace["record"] = plan

    with forged(site, version, papers, change):
        assert broken(site, version) == ["plan/asked", "plan/strategies"]


class _Trace:
    def __init__(self, trace):
        self.inputs = trace["inputs"]


def test_other_weights_than_scores_and_counts_lead_to_are_noticed(site, version, papers, tmp_path):
    """One kept weight and one pruned change places, in file, record, store and DVC's remote."""
    file = tmp_path / "network.packed"
    model = load_packed(papers / "network.packed")
    weights = weights_of(model, prunable_layers(model))
    flat = max(weights.values(), key=lambda x: x.numel()).data.view(-1)
    zero, kept = (int((flat != 0).int().argsort()[i]) for i in (0, -1))
    flat[zero], flat[kept] = flat[kept].clone(), 0.0
    masks = {name: weight != 0 for name, weight in weights.items()}

    def change(record):
        old = record["subject"]
        sizes = (f'"size_bytes": {x}' for x in (old["size_bytes"], len(content)))
        replaced(record, *sizes)
        replaced(record, old["digest"], digest)
        step(record, "member")["record"]["mask_digest"] = mask_digest(masks)
        record["dvc"]["family"] = family

    spec = step(_record(papers), "member")["inputs"]["spec"]
    save_packed(file, model, ModelSpec.model_validate(spec))
    content = file.read_bytes()
    label = _record(papers)["label"].replace("/", "-")
    old_family = _record(papers)["dvc"]["family"]
    with ExitStack() as stack:
        digest = stack.enter_context(stored(site, content))
        family = stack.enter_context(in_remote(site, old_family, f"{label}.safetensors", content))
        stack.enter_context(changed(papers / "network.packed", content))
        stack.enter_context(forged(site, version, papers, change))
        assert broken(site, version) == ["member/selection"]


def test_a_data_set_that_dvc_never_saw_is_noticed(site, version, papers):
    record = _record(papers)
    old = step(record, "fetch")["record"]["artifact"]["digest"]
    content = bytearray((site.open_workspace().store / "objects" / old[:2] / old).read_bytes())
    content[-1] ^= 1
    with ExitStack() as stack:
        digest = stack.enter_context(stored(site, bytes(content)))
        stack.enter_context(forged(site, version, papers, lambda x: replaced(x, old, digest)))
        assert broken(site, version) == ["fetch/remote"]


def test_forged_scores_are_noticed_when_sensitivity_is_measured_again(site, version, papers):
    """The largest score is twice as large, which no count and no mask depends on."""
    import numpy as np
    from safetensors.numpy import load, save

    old = step(_record(papers), "sensitivity")["record"]["artifact"]["digest"]
    path = site.open_workspace().store / "objects" / old[:2] / old
    scores = load(path.read_bytes())
    name = max(scores, key=lambda x: scores[x].size)
    scores[name].flat[np.abs(scores[name]).argmax()] *= np.float32(2)
    with ExitStack() as stack:
        digest = stack.enter_context(stored(site, save(scores)))
        stack.enter_context(forged(site, version, papers, lambda x: replaced(x, old, digest)))
        assert "sensitivity/remote" in unchecked(site, version)
        assert broken(site, version, Extent(deep=True)) == ["sensitivity/again"]


def test_a_forged_accuracy_is_noticed_when_the_file_is_evaluated_again(site, version, papers):
    def change(record):
        test = step(record, "member")["record"]["test"]
        test["num_correct"] += 5
        test["value"] = test["num_correct"] / test["num_images"]

    with forged(site, version, papers, change):
        assert broken(site, version) == []
        assert broken(site, version, Extent(deep=True)) == ["member/test again"]


def test_a_version_whose_file_is_not_the_one_that_the_ledger_names_is_noticed(site, version):
    store = site.open_store()
    draft = LedgerEntry(
        number=0,
        before=None,
        action="request",
        name=version.name,
        alias="champion",
        version=version.version,
        digest="0" * 64,
        held_before=None,
        found_before=None,
        at="2026-11-27T12:00:00+00:00",
        who="ada@host",
        why="smallest",
    )
    assert append(store, read_ledger(store), draft)
    try:
        assert broken(site, version) == ["registry/promoted"]
    finally:
        (site.open_workspace().store / "ledger" / "000000001.json").unlink()


@pytest.mark.parametrize("tag", ["drop.mean", "drop.high", "int8.accuracy", "int8.bytes"])
def test_a_figure_that_only_the_version_says_is_computed_again(site, version, tag):
    link = "run/int8" if tag.startswith("int8") else "registry/drop"
    where = f"name = 'tiny' and version = {version.version} and key = '{tag}'"
    with rewritten(site, [("model_version_tags", "value", "0.001", where)]):
        assert broken(site, version) == [link]


def test_a_lineage_of_another_form_is_named_and_raises_nothing(site, version, papers):
    def change(record):
        del step(record, "plan")["record"]["strategies"]

    with forged(site, version, papers, change):
        assert broken(site, version) == ["member/asked", "plan/ranges"]


def test_a_lineage_that_misses_what_a_statement_needs_is_no_lineage(site, version, papers):
    text = (papers / "lineage.json").read_text().replace('"mask_digest"', '"mask"')
    digest = hashlib.sha256(text.encode()).hexdigest()
    where = f"name = 'tiny' and version = {version.version} and key = 'lineage.digest'"
    tag = ("model_version_tags", "value", digest, where)
    with changed(papers / "lineage.json", text.encode()), rewritten(site, [tag]):
        assert broken(site, version) == ["lineage"]


def test_what_no_signature_protects_passes(site, version, papers):
    """Said so in docs/security.md: a lineage that agrees with itself, of facts nobody kept."""

    def change(record):
        record["builder"]["processor"] = "another"
        record["run"]["started"] = "2020-01-01T00:00:00+00:00"

    with forged(site, version, papers, change):
        assert broken(site, version) == []


def _record(papers):
    statement = json.loads((papers / "lineage.json").read_text())
    build = statement["predicate"]["buildDefinition"]
    return {**build["internalParameters"]["record"], **build["externalParameters"]}
