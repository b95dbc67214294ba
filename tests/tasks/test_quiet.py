import os

from tasks.quiet import apply_offline_environment, offline_environment


def test_the_telemetry_of_all_three_tools_is_off():
    assert offline_environment() == {
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }


def test_it_is_applied_to_this_process_and_so_to_its_children(monkeypatch):
    for name in offline_environment():
        monkeypatch.setenv(name, "before")
    apply_offline_environment()
    assert offline_environment().items() <= dict(os.environ).items()
