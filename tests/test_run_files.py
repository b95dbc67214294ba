"""The run files that the repository offers."""

from pathlib import Path

import pytest

from mixmatch.strategies import METHOD_TEN
from tasks.run_file import load_run_file

CONFIGS = Path(__file__).parents[1] / "configs"
# Run files lie one directory down; what lies beside it, and the policies, are files of other kinds.
ALL = sorted(x for x in CONFIGS.glob("*/*.yaml") if x.parent.name != "policies")
TWINS = {
    "vgg11-cifar10": "vgg11",
    "resnet18-gtsrb": "resnet18",
    "levit384-cifar10": "levit384",
    "swin-tiny-cifar100": "swin-tiny",
}
# METHOD, section 7, and slots 8 to 10 of the paper's tables.
STATED = {
    "vgg11-cifar10": (
        ("cifar10", "vgg11_cifar", "product", "vgg"),
        ("adam", 1e-4, 0.0, 20),
        ("parameter_proportional", "classifier_heavy", "conv_aggressive"),
    ),
    "resnet18-gtsrb": (
        ("gtsrb", "resnet18", "magnitude", "resnet"),
        ("adam", 5e-5, 0.0, 20),
        ("parameter_proportional", "fc_heavy", "late_stage_aggressive"),
    ),
    "levit384-cifar10": (
        ("cifar10", "levit_384", "gradient", None),
        ("adamw", 5e-5, 0.05, 20),
        ("parameter_proportional", "head_heavy", "mlp_aggressive"),
    ),
    "swin-tiny-cifar100": (
        ("cifar100", "swin_tiny_patch4_window7_224", "magnitude", "swin"),
        ("adam", 5e-5, 0.0, 30),
        ("parameter_share", "mlp_heavy", "attention_aggressive"),
    ),
}


def paper(name):
    return load_run_file(CONFIGS / "paper" / f"{name}.yaml")


@pytest.mark.parametrize("file", ALL, ids=[str(file.relative_to(CONFIGS)) for file in ALL])
def test_every_run_file_loads(file):
    assert load_run_file(file).run_name


def test_no_two_run_files_share_an_experiment():
    names = [load_run_file(file).run_name for file in ALL]
    assert len(names) == len(set(names))


def test_the_paper_has_four_settings():
    assert {file.stem for file in (CONFIGS / "paper").iterdir()} == set(STATED)


@pytest.mark.parametrize("name", STATED)
def test_a_setting_of_the_paper_is_what_the_paper_states(name):
    config, (network, fine_tune, slots) = paper(name), STATED[name]
    (criterion,) = config.criteria
    assert (config.data.name, config.model.architecture, criterion, config.ranges.preset) == network
    tuning = config.fine_tune
    found = (tuning.optimizer, tuning.learning_rate, tuning.weight_decay, tuning.max_epochs)
    assert found == fine_tune
    assert (tuning.batch_size, tuning.patience) == (128, 3)
    assert config.strategies == (*METHOD_TEN[:7], *slots)
    assert config.data.image_size == 32


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_differs_in_its_data_and_its_base_alone(name):
    original, twin = paper(name), load_run_file(CONFIGS / "fashion-mnist" / f"{TWINS[name]}.yaml")
    assert twin.data.name == "fashion_mnist"
    assert twin.data.root == "/usr/share/datasets/fashion-mnist"
    own = {"name", "data", "model"}
    assert twin.model_dump(exclude=own) == original.model_dump(exclude=own)
    assert twin.model.model_copy(update={"train": original.model.train}) == original.model
