import copy
import re

import pytest

from mixmatch.config import parse_run_config
from mixmatch.errors import ConfigError

MINIMAL = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}


def with_setting(path, value):
    """Return the minimal run file with one setting changed; ``path`` is separated by slashes."""
    values = copy.deepcopy(MINIMAL)
    *sections, name = path.split("/")
    section = values
    for part in sections:
        section = section.setdefault(part, {})
    section[name] = value
    return values


WRONG = [
    (
        "data/name",
        "image_folder",
        "data.root must name a folder of class folders for image_folder.",
    ),
    (
        "data/root",
        "/x",
        "data.root must be null for digits, which are embedded, got '/x'.",
    ),
    (
        "fine_tune/learning_rat",
        1,
        "fine_tune.learning_rat is not a setting; known here: optimizer, learning_rate, "
        "weight_decay, max_epochs, patience, batch_size, batch_norm_images, order, distill, "
        "budget.",
    ),
    (
        "ranges/targets",
        [0.8, 70],
        "ranges.targets must be a fraction in [0, 1], got 70 (70 % is written 0.7).",
    ),
    ("ranges/targets", [], "ranges.targets must be auto or a list of fractions, got []."),
    (
        "ranges/roles/stem",
        [0.5, 0.1],
        "ranges.roles.stem must be [low, high] with low <= high, got [0.5, 0.1].",
    ),
    ("ranges/layers/layer4.*", [0.5], "ranges.layers.layer4.* must have at least 2 entries."),
    (
        "ranges/constraints/small",
        [0.1, 0.2, 0.3],
        "ranges.constraints.small must have at most 2 entries, got [0.1, 0.2, 0.3].",
    ),
    (
        "data/name",
        "mnist",
        "data.name must be 'digits', 'fashion_mnist', 'cifar10', 'cifar100', 'gtsrb' or "
        "'image_folder', got 'mnist'.",
    ),
    (
        "data/validation_fraction",
        10,
        "data.validation_fraction must be a fraction above 0 and "
        "below 1, got 10 (10 % is written 0.1).",
    ),
    (
        "data/normalization",
        [[0.5], [0.5]],
        "data.normalization must hold 3 means and 3 standard "
        "deviations (channels is 3), got 1 and 1.",
    ),
    ("model/architecture", "", "model.architecture must not be empty, got ''."),
    (
        "model/architecture",
        "hf-hub:a/b",
        "model.architecture must be a timm model name without a "
        "source prefix such as hf-hub: or local-dir:, or package.module:factory, got 'hf-hub:a/b'.",
    ),
    (
        "model/arguments",
        {"pretrained": True},
        "model.arguments must not set ['pretrained']: "
        "weights come from checkpoint, classes from data.",
    ),
    (
        "model/arguments",
        {"drop": float("nan")},
        "model.arguments must hold only text, finite numbers, true, false, null, lists and "
        "mappings of these (Out of range float values are not JSON compliant).",
    ),
    (
        "fine_tune/learning_rate",
        float("inf"),
        "fine_tune.learning_rate must be a finite number, got inf.",
    ),
    ("fine_tune/learning_rate", "fast", "fine_tune.learning_rate must be a number, got 'fast'."),
    ("fine_tune/max_epochs", -1, "fine_tune.max_epochs must be at least 0, got -1."),
    (
        "fine_tune/batch_norm_images",
        1,
        "fine_tune.batch_norm_images must be 0 or at least 2, since one image has no variance, "
        "got 1.",
    ),
    ("fine_tune/max_epochs", 2.5, "fine_tune.max_epochs must be a whole number, got 2.5."),
    ("fine_tune", 3, "fine_tune must be a section with settings of its own, got 3."),
    ("engine/workers", 0, "engine.workers must be auto or a whole number from 1 to 256, got 0."),
    (
        "engine/workers",
        True,
        "engine.workers must be auto or a whole number from 1 to 256, got True.",
    ),
    (
        "engine/kind",
        "dask",
        "engine.address must be given where kind is dask, got null.",
    ),
    (
        "engine/address",
        "tcp://host:1",
        "engine.address must be null unless kind is dask, got 'tcp://host:1'.",
    ),
    (
        "engine",
        {"kind": "dask", "address": "tcp://host:1", "workers": 2},
        "engine.workers must be auto where kind is dask, which has its own, got 2.",
    ),
    ("engine/overlap", "stop", "engine.overlap must be 'queue' or 'skip', got 'stop'."),
    (
        "notify",
        ["ftp://host"],
        "notify (entry 1) must begin with http://, https:// or ${NAME}, got 'ftp://host'.",
    ),
    ("engine/device", "gpu", "engine.device must be auto, cpu or cuda, got 'gpu'."),
    (
        "criteria",
        ["mag"],
        "criteria (entry 1) must be 'magnitude', 'gradient' or 'product', got 'mag'.",
    ),
    ("criteria", "magnitude", "criteria must be a list, got 'magnitude'."),
    ("seeds", [0, 0], "seeds must not name anything twice, got [0, 0]."),
    ("seed", 2**31, "seed must be below 2147483648, got 2147483648."),
    ("register/enabled", "maybe", "register.enabled must be true or false, got 'maybe'."),
    (
        "name",
        "a/b",
        "name must be up to 100 letters, digits, '.', '_' or '-', beginning with a "
        "letter or digit, got 'a/b'.",
    ),
    ("data", None, "data must be a section with settings of its own, got None."),
    ("data", {}, "data.name must be given; it has no default."),
    (
        "register_",
        {},
        "register_ is not a setting; known here: name, seed, data, model, criteria, "
        "calibration_fraction, calibration_batch, ranges, strategies, target_sparsity, fine_tune, "
        "seeds, compare, compare_sparsities, quantize, latency, register, engine, notify, "
        "store.",
    ),
    ("quantize", "int8", "quantize must be 'none', 'front' or 'all', got 'int8'."),
    ("quantize", None, "quantize must be 'none', 'front' or 'all', got None."),
    ("latency", "all", "latency must be 'none' or 'front', got 'all'."),
]


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_setting_is_one_sentence_with_setting_value_and_rule(path, value, sentence):
    with pytest.raises(ConfigError, match=re.escape(f"r.yaml: {sentence}") + "$"):
        parse_run_config(with_setting(path, value), "r.yaml")


def test_a_name_that_is_not_text_is_refused():
    with pytest.raises(ConfigError, match="r: Every setting must have a name that is text, got 3"):
        parse_run_config({**MINIMAL, 3: 4}, "r")


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(ConfigError, match=r"data.name must be .*, got 'x{79}\.\.\.\.$"):
        parse_run_config(with_setting("data/name", "x" * 1000), "r")
