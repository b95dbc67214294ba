"""The winner's own file against what is recorded of it: every figure is falsified once."""

import shutil

import pytest

from mixmatch.errors import ArtifactError, ConfigError, PromotionError
from tasks.ledger import read_ledger
from tasks.tracking import show_model
from tests.tasks.promotion.shop import SPLITS

SMALLEST = 2
ONE_IMAGE = 1 / (SPLITS["test"][1] - SPLITS["test"][0])


def refused(shop, error, sentence):
    with pytest.raises(error, match=sentence):
        shop.promote()
    assert shop.champion() is None
    assert read_ledger(shop.store).entries == ()


@pytest.mark.parametrize(
    ("key", "shown"),
    [("accuracy", "test accuracy"), ("validation_accuracy", "validation accuracy")],
)
def test_an_accuracy_that_is_one_image_too_high_is_refused(shop, key, shown):
    true = float(shop.aliases.tags_of(SMALLEST)[key])
    shop.tag(SMALLEST, key, str(true + ONE_IMAGE))
    refused(
        shop,
        PromotionError,
        rf"The {shown} of shapes, version 2, must be the recorded one, {true + ONE_IMAGE}, but the "
        rf"registry's own file gives {true} \(cpu, float32\); the alias stays\.",
    )


def test_a_sparsity_or_a_size_that_the_file_has_not_is_refused(shop):
    tags = shop.aliases.tags_of(SMALLEST)
    shop.tag(SMALLEST, "sparsity", "0.99")
    refused(shop, PromotionError, rf"The sparsity .* 0\.99, but .* gives {tags['sparsity']} ")
    shop.tag(SMALLEST, "bytes", "1")
    refused(shop, PromotionError, rf"The bytes of .* 1, but .* gives {tags['bytes']} ")


def test_a_file_that_is_another_than_was_registered_is_refused(shop):
    # Of another version: a right file, in the wrong place.
    ours, theirs = (folder_of(shop, version) for version in (SMALLEST, 1))
    packed = "artifacts/network.packed"
    shutil.copyfile(ours / packed, shop.site.open_workspace().root / "kept")
    try:
        shutil.copyfile(theirs / packed, ours / packed)
        refused(shop, ArtifactError, r"must have the digest that it was registered with")
    finally:
        shutil.copyfile(shop.site.open_workspace().root / "kept", ours / packed)


def folder_of(shop, version):
    from pathlib import Path
    from urllib.parse import urlparse

    return Path(urlparse(show_model(shop.site, f"shapes/{version}").uri).path)


def test_without_the_record_of_how_it_was_made_it_is_not_evaluated(shop):
    key = shop.aliases.tags_of(SMALLEST)["key"]
    (shop.store.root / "records" / "member" / f"{key}.json").unlink()
    refused(shop, ArtifactError, rf"must hold the record of the job that made it, {key}; run it")


def test_a_record_under_the_key_of_other_inputs_does_not_count(shop):
    keys = [shop.aliases.tags_of(version)["key"] for version in (1, SMALLEST)]
    theirs, ours = (shop.store.root / "records" / "member" / f"{key}.json" for key in keys)
    shutil.copyfile(theirs, ours)
    refused(shop, ArtifactError, r"must hold the record of the job that made it")


def test_without_its_data_set_it_is_not_evaluated(shop):
    digest = shop.aliases.tags_of(SMALLEST)["data.digest"]
    (shop.store.root / "objects" / digest[:2] / digest).unlink()
    refused(shop, ArtifactError, rf"must hold its data set {digest}; `mixmatch fetch`")


def test_what_was_computed_on_another_device_is_not_compared_with_this_one(shop, monkeypatch):
    import torch

    from tasks.promotion import reevaluation

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    inputs = reevaluation._inputs

    def on_cuda(store, key):
        found = inputs(store, key)
        return {**found, "execution": {**found["execution"], "device": "cuda"}}

    monkeypatch.setattr(reevaluation, "_inputs", on_cuda)
    refused(shop, ConfigError, r"shapes, version 2, again as it was, this machine must have CUDA")
