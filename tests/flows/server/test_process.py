from flows.server.process import (
    forget,
    last_log_line,
    log_file,
    remembered,
    start,
)


def test_nothing_is_remembered_of_a_server_that_never_was(workspace):
    assert remembered(workspace) is None


def test_a_torn_state_file_counts_as_none(workspace):
    workspace.prefect.mkdir()
    (workspace.prefect / "server.json").write_text('{"pid": 1')
    assert remembered(workspace) is None


def test_a_started_server_is_remembered_until_it_is_forgotten(workspace, stand_in):
    server = start(workspace)
    assert remembered(workspace) == server
    assert server.is_alive()
    server.end()
    assert not server.is_alive()
    assert not server.is_healthy()
    forget(workspace)
    assert remembered(workspace) is None


def test_a_server_that_ignores_the_request_to_stop_is_killed(workspace, stand_in, monkeypatch):
    monkeypatch.setattr("flows.server.process._END_S", 0.5)
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    first, rest = stand_in.read_text().split("\n", 1)
    stand_in.write_text(f"{first}\n{ignoring}{rest}")
    server = start(workspace)
    while not server.is_healthy():
        pass
    server.end()
    assert not server.is_alive()


def test_variables_for_another_server_do_not_reach_ours(workspace, stand_in, monkeypatch):
    monkeypatch.setenv("PREFECT_API_KEY", "secret")
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql://elsewhere")
    stand_in.write_text("#!/bin/sh\nenv\n")
    server = start(workspace)
    while server.is_alive():
        pass
    seen = log_file(workspace).read_text()
    assert "secret" not in seen
    assert "elsewhere" not in seen
    assert f"PREFECT_HOME={workspace.prefect}\n" in seen
    assert "PREFECT_SERVER_ANALYTICS_ENABLED=false\n" in seen


def test_a_page_of_elsewhere_may_not_call_it(workspace, stand_in):
    stand_in.write_text("#!/bin/sh\nenv\n")
    server = start(workspace)
    while server.is_alive():
        pass
    own = f"PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS=http://127.0.0.1:{server.port}\n"
    assert own in log_file(workspace).read_text()


def test_the_last_line_that_says_anything_is_taken_from_the_log(workspace):
    assert last_log_line(workspace) == ""
    log_file(workspace).parent.mkdir()
    log_file(workspace).write_text("starting\n  no space left \n\n")
    assert last_log_line(workspace) == "no space left"
