"""Which failures of MLflow pass by themselves."""

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE
from requests.exceptions import ConnectionError as NoConnection

from tasks.tracking import passing
from tasks.tracking.passing import may_pass, patiently

LOCKED = MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)


def caused_by(cause):
    error = MlflowException("API request failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (LOCKED, True),
        (caused_by(NoConnection("refused")), True),
        (TimeoutError(), True),
        (MlflowException("no such run", error_code=RESOURCE_DOES_NOT_EXIST), False),
        (OSError(28, "No space left on device"), False),
        ("a result", False),
    ],
)
def test_only_what_passes_by_itself_is_worth_another_try(error, passes):
    assert may_pass(error) is passes


def failing(times, error):
    left = [error] * times

    def work():
        if left:
            raise left.pop()
        return "done"

    return work


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(passing, "DELAYS_S", (0.0, 0.0))


def test_work_is_tried_again_until_its_failure_has_passed():
    assert patiently(failing(2, LOCKED)) == "done"


def test_work_is_given_up_in_the_end():
    with pytest.raises(MlflowException, match="database is locked"):
        patiently(failing(3, LOCKED))


def test_another_failure_is_raised_at_once():
    work = failing(1, ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        patiently(work)
    assert work() == "done"
