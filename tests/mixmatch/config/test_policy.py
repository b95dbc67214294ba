import pytest

from mixmatch.config import LargestDrop, Policy, parse_policy
from mixmatch.errors import ConfigError


def test_an_empty_policy_demands_front_and_audit_and_prefers_the_smallest():
    policy = parse_policy({}, "policy.yaml")
    assert (policy.alias, policy.prefer) == ("champion", "smallest")
    assert (policy.on_front, policy.passes_audit) == (True, "complete")
    assert (policy.signed, policy.needs_approval, policy.may_return) == (False, False, False)


@pytest.mark.parametrize(
    ("asked", "degree"),
    [(True, "complete"), ("complete", "complete"), ("possible", "possible"), (False, False)],
)
def test_an_audit_is_asked_in_degrees_and_true_is_the_strictest(asked, degree):
    assert parse_policy({"passes_audit": asked}, "policy.yaml").passes_audit == degree


def test_a_drop_is_judged_by_the_end_of_its_interval_unless_said_otherwise():
    policy = parse_policy({"largest_drop": {"drop": 0.01}}, "policy.yaml")
    assert policy.largest_drop == LargestDrop(drop=0.01, of="interval_end")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"largest_byte": 1}, "policy.yaml: largest_byte is not a setting; known here: alias, "),
        ({"largest_bytes": 0}, "policy.yaml: largest_bytes must be above 0, got 0."),
        (
            {"smallest_accuracy": 97},
            "policy.yaml: smallest_accuracy must be a fraction in .0, 1., got 97",
        ),
        ({"prefer": "best"}, "policy.yaml: prefer must be 'smallest', .*, got 'best'."),
        ({"largest_latency": {"seconds": 1}}, "largest_latency.processor must be given"),
        ({"passes_audit": 1.5}, "passes_audit must be complete, possible or false, got 1.5."),
        ({"alias": "latest"}, "policy.yaml: alias must be up to 100 letters.*, got 'latest'."),
        ({"alias": "v2"}, "got 'v2'"),
        ({"alias": "a/../b"}, "got 'a/../b'"),
        ({"alias": "$(id)"}, r"got '\$\(id\)'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        parse_policy(values, "policy.yaml")


def test_a_setting_written_out_at_its_default_leaves_the_digest():
    assert Policy(prefer="smallest").digest == Policy().digest
    assert Policy(prefer="knee").digest != Policy().digest
    # Pinned: a ledger names it, so that a new setting must not change it.
    assert Policy().digest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
