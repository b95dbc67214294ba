"""The commands as a user calls them; what stands behind them is tested beside it."""

import json

import pytest

import tasks.promotion
from mixmatch.records import Candidate, Gate
from tasks.promotion import PromotionSummary, Reevaluation

PASSED = Gate(name="largest_bytes", allowed="at most 900 bytes", found="800 bytes", ok=True)
MISSED = Gate(name="largest_bytes", allowed="at most 900 bytes", found="1,000 bytes", ok=False)


def one(version, gate):
    return Candidate(
        version=version,
        digest="c" * 64,
        bytes=2_830_000,
        sparsity=0.9343,
        validation_accuracy=0.9757,
        accuracy=0.9805,
        gates=(gate,),
    )


SUMMARY = PromotionSummary(
    outcome="promoted",
    name="shapes",
    alias="champion",
    version=2,
    held_before=1,
    entry=7,
    entry_digest="e" * 64,
    policy_digest="a" * 64,
    candidates=(one(1, MISSED), one(2, PASSED)),
    reevaluated=Reevaluation(
        version=2,
        bytes=2_830_000,
        sparsity=0.9343,
        validation_accuracy=0.9757,
        accuracy=0.9805,
        device="cpu",
        precision="float32",
        seconds=1.25,
    ),
)
NOTHING = SUMMARY.model_copy(
    update={
        "outcome": "nothing",
        "version": None,
        "entry": None,
        "reevaluated": None,
        "nearest": "None of 2 versions of shapes passes the policy.",
    }
)


@pytest.fixture
def answers(monkeypatch):
    """Replace what the commands call; returns what they were called with."""
    asked = []

    def answer(summary):
        def called(site, *arguments, **options):
            asked.append((arguments, options))
            return summary

        for name in ("promote", "approve", "rollback"):
            monkeypatch.setattr(tasks.promotion, name, called)
        return asked

    return answer


@pytest.fixture
def policy(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("largest_bytes: 900\n")
    return file


def test_a_promotion_shows_every_gate_and_what_was_done(mixmatch, answers, policy):
    answers(SUMMARY)
    done = mixmatch("promote", "shapes", "--policy", policy)
    assert done.exit_code == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "1 93.43 97.57 98.05 2.83 1,000 bytes ✗" in lines
    assert "* 2 93.43 97.57 98.05 2.83 800 bytes ✓" in lines
    assert "* preferred among those that pass; 1 of 2 versions pass" in lines
    assert "Alias shapes@champion is version 2, before it was version 1" in lines
    assert f"Ledger entry 7, {'e' * 64}" in lines
    assert any(line.startswith("Evaluated the registry's own file of version 2") for line in lines)


def test_options_reach_the_promotion(mixmatch, answers, policy):
    asked = answers(SUMMARY)
    options = ("--alias", "beta", "--by", "ada", "--dry-run", "--factory", "own:net")
    assert mixmatch("promote", "shapes", "--policy", policy, *options).exit_code == 0
    ((name, parsed), given) = asked[0]
    assert (name, parsed.alias, parsed.largest_bytes) == ("shapes", "beta", 900)
    assert (given["by"], given["dry_run"], given["factory"]) == ("ada", True, "own:net")


def test_without_a_name_the_user_of_the_process_asks(mixmatch, answers, policy, monkeypatch):
    asked = answers(SUMMARY)
    monkeypatch.setenv("LOGNAME", "ada")
    mixmatch("promote", "shapes", "--policy", policy)
    assert asked[0][1]["by"].startswith("ada@")


def test_nothing_passes_and_that_is_exit_code_1_after_the_table(mixmatch, answers, policy):
    answers(NOTHING)
    done = mixmatch("promote", "shapes", "--policy", policy, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["outcome"] == "nothing"
    assert "stays at version 1: no version passes" in done.stderr
    assert done.stderr.splitlines()[-1] == NOTHING.nearest


def test_json_is_one_line_on_stdout(mixmatch, answers, policy):
    answers(SUMMARY)
    done = mixmatch("promote", "shapes", "--policy", policy, "--json")
    assert PromotionSummary.model_validate_json(done.stdout) == SUMMARY


@pytest.mark.parametrize("command", ["approve", "rollback"])
def test_a_person_says_who_and_why(mixmatch, answers, command):
    asked = answers(SUMMARY.model_copy(update={"candidates": (), "outcome": "rolled_back"}))
    done = mixmatch(command, "shapes", "--by", "ada", "--why", "looked at it", "--alias", "beta")
    assert done.exit_code == 0, done.stderr
    ((name, alias), given) = asked[0]
    assert (name, alias, given["by"], given["why"]) == ("shapes", "beta", "ada", "looked at it")
    assert "shapes@champion is back at version 2" in done.stdout


def test_a_person_may_refuse(mixmatch, answers):
    asked = answers(SUMMARY.model_copy(update={"outcome": "refused"}))
    assert mixmatch("approve", "shapes", "--by", "ada", "--why", "no", "--refuse").exit_code == 0
    assert asked[0][1]["refuse"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "shapes", "--policy", "absent.yaml"), "The policy absent.yaml must exist"),
        (("approve", "shapes", "--by", "", "--why", "x"), "--by must be one printable line"),
        (("rollback", "shapes", "--why", " "), "--why must be one printable line of 1 to 500"),
        (("rollback", "shapes", "--why", "a\nb"), "--why must be one printable line"),
    ],
)
def test_wrong_input_is_one_sentence_and_creates_nothing(mixmatch, tmp_path, arguments, sentence):
    done = mixmatch(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)
    assert not (tmp_path / ".mixmatch").exists()


def test_a_model_that_nobody_registered_is_refused(mixmatch, policy):
    done = mixmatch("promote", "shapes", "--policy", policy)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "There is no registered model 'shapes'; nothing is tracked yet."
    )
