import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from mixmatch.errors import ServiceError, WorkspaceError
from tasks.tracking.connection import (
    connect,
    connect_if_there,
    ensure_experiment,
    locked,
    prepare_tracking,
    silence,
    tracking_uri,
)


def test_the_records_lie_in_the_workspace_by_default(empty_site):
    database = empty_site.open_workspace().mlflow_database
    assert database.is_absolute()
    assert tracking_uri(empty_site) == f"sqlite:///{database}"


def test_a_tracking_server_named_in_the_environment_wins(empty_site, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert prepare_tracking(empty_site) == "http://tracking.example:5000"
    assert not empty_site.open_workspace().mlflow_database.exists()


def test_a_servers_address_with_credentials_is_refused_and_not_shown(empty_site, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@tracking.example")
    message = r"^MLFLOW_TRACKING_URI must hold no credentials, .* got 'https://\*\*\*@tracking"
    with pytest.raises(ServiceError, match=message) as raised:
        connect(empty_site)
    assert "hunter2" not in str(raised.value)


def test_the_migrated_database_keeps_nothing_outside_the_workspace(migrated_database):
    with closing(sqlite3.connect(migrated_database)) as connection:
        locations = connection.execute("select artifact_location from experiments").fetchall()
    assert locations == [(f"{(migrated_database.parent / 'mlflow-artifacts').as_uri()}/0",)]


def test_migration_leaves_no_unfinished_files(migrated_database):
    files = [path.name for path in migrated_database.parent.iterdir() if path.is_file()]
    assert files == ["mlflow.db"]


def test_preparing_again_changes_nothing(site):
    database = site.open_workspace().mlflow_database
    before = database.read_bytes()
    assert prepare_tracking(site) == f"sqlite:///{database}"
    assert database.read_bytes() == before


def test_looking_does_not_create_a_database(empty_site):
    assert connect_if_there(empty_site) is None
    assert list(empty_site.open_workspace().root.iterdir()) == []


def test_a_database_of_another_mlflow_is_an_error_that_says_what_to_do(site):
    database = site.open_workspace().mlflow_database
    with sqlite3.connect(database) as connection:
        connection.execute("update alembic_version set version_num = '451aebb31d03'")
    with pytest.raises(WorkspaceError, match=rf"then run: mlflow db upgrade sqlite:///{database}"):
        connect(site)


def test_an_experiment_is_created_once_below_the_workspace(site, client):
    first = ensure_experiment(client, site, "shapes")
    assert ensure_experiment(client, site, "shapes") == first
    place = site.open_workspace().mlflow_artifacts / "shapes"
    assert client.get_experiment(first).artifact_location == place.as_uri()


def test_a_deleted_experiment_is_restored(site, client):
    experiment = ensure_experiment(client, site, "shapes")
    client.delete_experiment(experiment)
    assert ensure_experiment(client, site, "shapes") == experiment
    assert client.get_experiment(experiment).lifecycle_stage == "active"


def test_a_lock_is_a_file_of_the_workspace(empty_site):
    with locked(empty_site, "mlflow-runs"):
        assert (empty_site.open_workspace().locks / "mlflow-runs.lock").exists()


def test_telemetry_and_pickle_are_off_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    silence()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_importing_the_package_imports_neither_mlflow_nor_torch():
    code = "import sys, tasks.tracking; print({'mlflow', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_processes_that_start_together_migrate_once(empty_site):
    code = (
        "import sys; from tasks.site import Site; from tasks.tracking.connection import connect; "
        "connect(Site.model_validate_json(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, empty_site.model_dump_json()]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in running] == ["", ""]
    assert [process.returncode for process in running] == [0, 0]
