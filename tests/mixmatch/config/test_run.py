import pytest

from mixmatch.config import DataSettings, parse_run_config
from mixmatch.errors import ConfigError

MINIMAL = {"data": {"name": "digits"}, "model": {"architecture": "resnet18"}}


def test_two_names_are_enough():
    config = parse_run_config(MINIMAL, "r.yaml")
    assert config.run_name == config.registered_name == "digits-resnet18"
    assert config.fine_tune.max_epochs == 20
    assert config.ranges.targets == (0.7, 0.8, 0.9)


def test_the_registered_name_can_differ_from_the_name():
    config = parse_run_config({**MINIMAL, "name": "a", "register": {"name": "b"}}, "r.yaml")
    assert (config.run_name, config.registered_name) == ("a", "b")


def test_two_targets_or_baselines_may_stand_in_any_order():
    ranges = {"targets": [0.9, 0.7], "baselines": ["SNIP", "MAG"]}
    assert parse_run_config({**MINIMAL, "ranges": ranges}, "r").ranges.targets == (0.9, 0.7)


def test_a_configuration_cannot_be_changed():
    config = parse_run_config(MINIMAL, "r.yaml")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_an_unknown_strategy_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"r: strategies must be among \['aggressive', .*'balance"
    ):
        parse_run_config({**MINIMAL, "strategies": ["balance"]}, "r")


def test_a_data_section_alone_may_leave_out_its_root():
    # A fetch job clears it: where the images lie is no true input.
    assert DataSettings(name="image_folder").root is None
