import getpass
import platform
from datetime import UTC, datetime, timedelta

import pytest

from mixmatch.errors import ConfigError
from tasks.promotion.person import check_person, now


def test_who_is_named_is_who_asks():
    assert check_person("Ada Lovelace", "smaller and as good") == "Ada Lovelace"


def test_otherwise_it_is_the_user_at_this_machine(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(platform, "node", lambda: "lab")
    assert check_person(None) == "ada@lab"


def test_a_machine_without_a_name_is_called_localhost(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(platform, "node", lambda: "")
    assert check_person(None) == "ada@localhost"


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no user")])
def test_where_there_is_no_user_one_must_be_named(monkeypatch, error):
    def unknown():
        raise error

    monkeypatch.setattr(getpass, "getuser", unknown)
    with pytest.raises(ConfigError, match=r"^--by must be given where the system knows no user\.$"):
        check_person(None)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "bell\a", "x" * 501])
@pytest.mark.parametrize("option", ["--by", "--why"])
def test_what_is_no_printable_line_is_refused(option, text):
    said = {"by": text} if option == "--by" else {"by": "ada", "why": text}
    with pytest.raises(
        ConfigError, match=rf"^{option} must be one printable line of 1 to 500 characters, got"
    ):
        check_person(**said)


def test_the_time_is_written_in_utc_with_milliseconds():
    read = datetime.fromisoformat(now())
    assert read.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - read) < timedelta(seconds=5)
    assert len(now()) == len("2026-01-02T03:04:05.678+00:00")
