import os

from flows.server.environment import changed_environment, common_environment, managed_environment
from tasks.workspace import Workspace


def test_variables_come_back_after_the_block(monkeypatch):
    monkeypatch.setenv("SET_BEFORE", "old")
    monkeypatch.delenv("UNSET_BEFORE", raising=False)
    with changed_environment({"SET_BEFORE": None, "UNSET_BEFORE": "new"}):
        assert "SET_BEFORE" not in os.environ
        assert os.environ["UNSET_BEFORE"] == "new"
    assert os.environ["SET_BEFORE"] == "old"
    assert "UNSET_BEFORE" not in os.environ


def test_a_proxy_is_never_asked_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intranet,localhost")
    monkeypatch.delenv("no_proxy", raising=False)
    variables = managed_environment(Workspace(tmp_path), "http://127.0.0.1:1/api")
    assert variables["NO_PROXY"] == "intranet,localhost,127.0.0.1"
    assert variables["no_proxy"] == "127.0.0.1,localhost"


def test_a_key_for_another_server_is_not_shown_to_ours(tmp_path):
    variables = managed_environment(Workspace(tmp_path), "http://127.0.0.1:1/api")
    assert variables["PREFECT_API_KEY"] is None
    assert variables["PREFECT_API_AUTH_STRING"] is None


def test_the_users_server_keeps_the_users_own_home(tmp_path):
    assert "PREFECT_HOME" not in common_environment(Workspace(tmp_path))
