from pathlib import Path

import pytest

from mixmatch.config import Retention, parse_retention
from mixmatch.errors import ConfigError
from tasks.retention.policy_file import load_retention

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"keep_newst": 1}, "p.yaml: keep_newst"),
        ({"keep_newest": -1}, "p.yaml: keep_newest must be at least 0, got -1"),
        ({"keep_days": "soon"}, "p.yaml: keep_days must be a number, got 'soon'"),
        ({"keep_days": float("nan")}, "p.yaml: keep_days must be a finite number"),
    ],
)
def test_a_wrong_policy_is_one_sentence(values, message):
    with pytest.raises(ConfigError) as caught:
        parse_retention(values, "p.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_example_shows_every_rule_at_its_default():
    file = ROOT / "configs/retention.yaml"
    assert load_retention(file) == load_retention(None) == Retention()
    assert all(f"{name}:" in file.read_text() for name in Retention.model_fields)


def test_an_unneeded_file_must_be_older_than_both_periods():
    assert Retention(keep_days=2, grace_hours=1).file_cutoff(1e6) == 1e6 - 2 * 86400
    assert Retention(keep_days=0, grace_hours=1).file_cutoff(1e6) == 1e6 - 3600
