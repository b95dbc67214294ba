"""Promotions in a real registry: what they change, what they leave, and what they refuse."""

import pytest

from mixmatch.errors import PromotionError, RegistryError
from mixmatch.records import Verdict
from tasks.ledger import holder_of, read_ledger
from tasks.promotion import Judges, promote
from tests.tasks.promotion.shop import BY, LENIENT

# Versions 1 to 4 are less and less large in this order.
SMALLEST, LARGEST = 2, 1


def gates(summary, version):
    (one,) = [x for x in summary.candidates if x.version == version]
    return {gate.name: gate for gate in one.gates}


def test_the_preferred_version_gets_the_alias_and_all_of_it_is_recorded(shop):
    policy = shop.policy(largest_bytes=10**9)
    summary = shop.promote(largest_bytes=10**9)
    assert (summary.outcome, summary.version, summary.held_before) == ("promoted", SMALLEST, None)
    assert shop.champion() == SMALLEST
    ledger = read_ledger(shop.store)
    (entry,) = ledger.entries
    assert (entry.number, entry.action, entry.name, entry.alias) == (
        *(1, "promotion", "shapes", "champion"),
    )
    assert (entry.version, entry.who, entry.why) == (2, BY, "smallest of 4 that pass, of 4")
    assert (entry.policy_digest, entry.policy["largest_bytes"]) == (policy.digest, 10**9)
    assert [one.version for one in entry.candidates] == [1, 2, 3, 4]
    assert (summary.entry, summary.entry_digest) == (1, ledger.head)
    mark = shop.mark(SMALLEST)
    assert (mark["entry"], mark["digest"], mark["who"]) == (1, ledger.head, BY)
    assert (mark["held_before"], mark["policy_digest"]) == (None, policy.digest)
    assert (mark["num_candidates"], mark["num_passed"]) == (4, 4)
    tags = shop.aliases.tags_of(SMALLEST)
    assert str(mark["figures"]["accuracy"]) == tags["accuracy"]


def test_the_winner_is_evaluated_again_and_gives_its_recorded_figures(shop):
    again, tags = shop.promote().reevaluated, shop.aliases.tags_of(SMALLEST)
    assert [str(x) for x in (again.accuracy, again.validation_accuracy, again.sparsity)] == [
        tags[key] for key in ("accuracy", "validation_accuracy", "sparsity")
    ]
    assert (str(again.bytes), again.precision) == (tags["bytes"], "float32")


def test_a_dry_run_says_the_same_and_changes_nothing(shop):
    summary = shop.promote(dry_run=True)
    assert (summary.outcome, summary.version, summary.entry) == ("promoted", SMALLEST, None)
    assert summary.reevaluated is not None
    assert shop.champion() is None
    assert read_ledger(shop.store).entries == ()
    assert "ledger.champion" not in shop.aliases.tags_of(SMALLEST)


def test_the_next_promotion_names_the_holder_before(shop):
    shop.promote()
    for version in (2, 3, 4):
        shop.tag(version, "drop.mean", "0.5")
    other = shop.promote(largest_drop={"drop": 0.0, "of": "mean"})
    assert (other.version, other.held_before) == (LARGEST, SMALLEST)
    assert [x.held_before for x in read_ledger(shop.store).entries] == [None, SMALLEST]
    assert shop.mark(LARGEST)["held_before"] == SMALLEST


def test_a_holder_that_still_wins_keeps_the_alias_without_an_entry(shop):
    shop.promote()
    summary = shop.promote()
    assert (summary.outcome, summary.version, summary.reevaluated) == ("unchanged", SMALLEST, None)
    assert len(read_ledger(shop.store).entries) == 1


def test_nothing_passes_and_the_alias_stays_and_the_nearest_miss_is_named(shop):
    shop.promote()
    size = int(shop.aliases.tags_of(SMALLEST)["bytes"])
    summary = shop.promote(largest_bytes=size - 1)
    assert (summary.outcome, summary.version, summary.entry) == ("nothing", None, None)
    assert summary.nearest == (
        "None of 4 versions of shapes passes the policy, and the alias stays; the nearest is "
        f"version 2: largest_bytes must be at most {size - 1:,} bytes, found {size:,} bytes."
    )
    assert shop.champion() == SMALLEST
    assert len(read_ledger(shop.store).entries) == 1


def test_an_audit_that_is_not_here_passes_nobody(shop):
    summary = shop.promote(passes_audit=True, signed=True)
    assert summary.outcome == "nothing"
    found = gates(summary, 1)
    assert not found["passes_audit"].ok
    assert found["signed"].found == (
        "it cannot be checked: this installation has nothing that does"
    )


def test_the_audit_is_asked_of_those_that_pass_all_else(shop):
    asked = []

    def verdict_of(site, reference):
        assert site == shop.site
        asked.append(reference)
        return Verdict(ok=reference != "shapes/2")

    size = int(shop.aliases.tags_of(LARGEST)["bytes"])
    summary = shop.promote(
        judges=Judges(audit=verdict_of), passes_audit=True, largest_bytes=size - 1
    )
    assert asked == ["shapes/2", "shapes/3", "shapes/4"]
    assert (summary.outcome, summary.version) == ("promoted", 4)
    assert (gates(summary, 2)["passes_audit"].found, "passes_audit" in gates(summary, 1)) == (
        "no",
        False,
    )


MISSING = Verdict(ok=True, missing=("run/figures", "run/settings", "run/tags", "run/int8"))


def test_missing_evidence_passes_only_where_the_policy_wants_what_is_possible(shop):
    judges = Judges(audit=lambda site, reference: MISSING)
    summary = shop.promote(judges=judges, passes_audit="complete")
    assert summary.outcome == "nothing"
    assert summary.nearest.endswith(
        "passes_audit must be every link holds, found no evidence for run/figures, run/settings, "
        "run/tags and 1 more."
    )
    summary = shop.promote(judges=judges, passes_audit="possible")
    assert summary.outcome == "promoted"
    gate = gates(summary, summary.version)["passes_audit"]
    assert (gate.ok, gate.allowed) == (True, "every link holds that can be checked")
    assert gate.found.startswith("no evidence for run/figures")


def test_a_version_that_another_tool_registered_is_passed_over_and_named(shop):
    shop.client.create_model_version("shapes", "file:///elsewhere")
    summary = shop.promote()
    assert [one.version for one in summary.candidates] == [1, 2, 3, 4]
    assert summary.warnings == (
        "Version 5 of shapes is passed over: mixmatch cannot read what it says of itself "
        "(KeyError: 'digest').",
    )


def test_a_figure_that_is_no_number_puts_a_version_out(shop):
    shop.tag(2, "validation_accuracy", "nan")
    summary = shop.promote()
    assert [one.version for one in summary.candidates] == [1, 3, 4]
    assert "a figure must be finite, got 'nan'" in summary.warnings[0]


def test_an_unknown_model_is_refused_with_those_known(shop):
    with pytest.raises(RegistryError, match=r"no registered model 'shape'; known: shapes\."):
        promote(shop.site, "shape", LENIENT, by=BY, judges=Judges())


def test_a_model_without_a_version_of_ours_is_refused(shop):
    shop.client.create_registered_model("empty")
    with pytest.raises(PromotionError, match=r"empty must have a version .*, found none\."):
        promote(shop.site, "empty", LENIENT, by=BY, judges=Judges())


def test_a_policy_may_demand_a_person_and_then_leaves_one_request(shop):
    summary = shop.promote(needs_approval=True)
    assert (summary.outcome, summary.version, summary.entry) == ("requested", SMALLEST, 1)
    assert shop.champion() is None
    again = shop.promote(needs_approval=True)
    assert (again.outcome, again.entry) == ("pending", None)
    assert holder_of(read_ledger(shop.store), "shapes", "champion") is None


def test_an_alias_that_was_set_before_the_ledger_is_told_and_kept_as_the_one_before(shop):
    shop.client.set_registered_model_alias("shapes", "champion", "3")
    summary = shop.promote()
    assert summary.held_before == 3
    assert summary.warnings == (
        "The alias champion of shapes was set to version 3 without the ledger.",
    )
    (entry,) = read_ledger(shop.store).entries
    assert (entry.held_before, entry.found_before) == (None, 3)


def test_an_alias_that_was_moved_past_the_ledger_is_told_recorded_and_put_right(shop):
    shop.promote()
    shop.client.set_registered_model_alias("shapes", "champion", "3")
    summary = shop.promote()
    assert (summary.outcome, shop.champion()) == ("promoted", SMALLEST)
    assert summary.warnings == (
        "The alias champion of shapes must be at version 2 by entry 1 of the ledger, and is at "
        "version 3: it was moved past the ledger, by whom it cannot say.",
    )
    last = read_ledger(shop.store).entries[-1]
    assert (last.version, last.held_before, last.found_before) == (SMALLEST, SMALLEST, 3)
