"""A whole compression through all that ``infra/compose.yaml`` starts; ``compose.py`` says how."""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.infra.compose import Team
from tests.infra.images import Database, ObjectStore
from tests.postgres import program

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

SECRETS = {
    "DATABASE_PASSWORD": "secret-0-of-the-database",
    "MLFLOW_DATABASE_PASSWORD": "secret-1-of-the-database",
    "PREFECT_DATABASE_PASSWORD": "secret-2-of-the-database",
    "REDIS_PASSWORD": "secret3ofRedis",
    "MLFLOW_PASSWORD": "secret-4-of-MLflow",
    "MLFLOW_SECRET_KEY": "secret-5-of-forms",
    "PREFECT_PASSWORD": "secret-6-of-Prefect",
}
# Swift's, in place of what a team would choose.
KEYS = {"S3_ACCESS_KEY": "test:tester", "S3_SECRET_KEY": "testing"}
SMALL = {
    "name": "team",
    "data": {"name": "digits", "image_size": 16, "train_limit": 400},
    "model": {"architecture": "test_resnet", "train": {"epochs": 1}},
    "ranges": {"baselines": ["MAG"], "targets": [0.9]},
    "strategies": ["conservative", "aggressive"],
    "fine_tune": {"max_epochs": 1},
    "quantize": "none",
    "latency": "none",
}
PATIENCE_S = 60.0
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LIMIT_S = 540.0  # 70 s on two processors of one's own


@pytest.fixture(scope="module")
def team(swift, tmp_path_factory):
    images = {"database": Database(), "s3": ObjectStore(swift)}
    team = Team(tmp_path_factory.mktemp("team"), SECRETS | KEYS, images)
    try:
        team.start()
        yield team
    finally:
        team.stop()


def ask(url, body=None, login=None):
    """Return status and content of an answer; on a busy machine a server may need several tries."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            status, content = ask_once(url, body, login)
        except OSError:
            status, content = None, None
        if (status is not None and status < 500) or time.monotonic() > deadline:
            return status, content
        time.sleep(1)


def ask_once(url, body, login):
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    request.data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def prefect(team, path, body, login="admin:secret-6-of-Prefect"):
    return ask(f"{team.address('prefect-server', 4200)}/api/{path}", body, login)


def mlflow(team, path, body=None, login="admin:secret-4-of-MLflow"):
    return ask(f"{team.address('mlflow-server', 5000)}/api/2.0/mlflow/{path}", body, login)


@pytest.fixture(scope="module")
def flow_run(team):
    """Deploy ``infra/prefect.yaml`` as its first lines say, and run its deployment, made small."""
    file = "/opt/mixmatch/infra/prefect.yaml"
    deploy = ["prefect", "--no-prompt", "deploy", "--prefect-file", file, "--name", "digits"]
    team.run("prefect-worker", *deploy)
    status, deployment = prefect_get(team, "deployments/name/compress-scheduled/digits")
    assert status == 200
    config = deployment["parameters"]["config"] | SMALL
    workspace = deployment["parameters"]["workspace"]
    parameters = {"config": config, "workspace": workspace}
    order = {"parameters": parameters, "idempotency_key": "once"}
    status, run = prefect(team, f"deployments/{deployment['id']}/create_flow_run", order)
    assert status in (200, 201)
    deadline = time.monotonic() + LIMIT_S
    while (found := prefect_get(team, f"flow_runs/{run['id']}")[1])["state_type"] not in FINAL:
        assert time.monotonic() < deadline, team.logs()
        time.sleep(1)
    return found | {"deployment": deployment}


def prefect_get(team, path):
    return prefect(team, path, None)


def settled_task_runs(team):
    """Return names and states of all task runs, which are written some time after their flow."""
    deadline = time.monotonic() + 60
    while True:
        _, runs = prefect(team, "task_runs/filter", {"limit": 200})
        states = {run["name"]: run["state_type"] for run in runs}
        if set(states.values()) <= FINAL or time.monotonic() > deadline:
            return states
        time.sleep(1)


def test_a_scheduled_compression_goes_through(team, flow_run):
    assert flow_run["state_type"] == "COMPLETED", flow_run["state"]["message"] + team.logs()
    assert flow_run["state"]["message"].startswith("2 results, ")


def test_the_deployment_is_what_its_file_says(flow_run):
    deployment = flow_run["deployment"]
    assert deployment["work_pool_name"] == "mixmatch"
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert [x["schedule"]["cron"] for x in deployment["schedules"]] == ["0 2 * * *"]


def test_every_task_run_is_recorded_in_a_final_state(team, flow_run):
    states = settled_task_runs(team)
    members = {f"{name}/magnitude/0" for name in SMALL["strategies"]}
    assert members <= states.keys()
    assert set(states.values()) == {"COMPLETED"}


def test_both_workers_have_computed_members(team, flow_run):
    logs = [(team.folder / f"dask-worker-{n}.log").read_text() for n in (1, 2)]
    assert all("Finished in state Completed" in log for log in logs), logs


def test_versions_of_the_front_are_registered(team, flow_run):
    status, found = mlflow(team, "model-versions/search?max_results=100")
    assert status == 200
    names = {version["name"] for version in found["model_versions"]}
    assert names == {"team"}
    assert found["model_versions"]


def test_files_lie_in_the_bucket(swift, flow_run):
    keys = [
        x["Key"] for x in swift.client.list_objects_v2(Bucket="mixmatch", MaxKeys=1000)["Contents"]
    ]
    # Two strategies, and the reference by MAG that they are shown beside.
    assert sum(key.startswith("store/records/member/") for key in keys) == 3
    assert any(key.startswith("mlflow/") and key.endswith("MLmodel") for key in keys)


@pytest.mark.parametrize("login", [None, "admin:wrong"])
def test_without_credentials_mlflow_refuses(team, login):
    assert mlflow(team, "experiments/search", {"max_results": 1}, login) == (401, None)
    assert mlflow(team, "experiments/search", {"max_results": 1})[0] == 200


def test_our_own_command_says_which_credentials_are_wrong(team):
    listed = team.run(
        "prefect-worker", "env", "MLFLOW_TRACKING_PASSWORD=wrong", "mixmatch", "list", check=False
    )
    assert listed.returncode == 1
    assert listed.stderr.strip() == (
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD must be an account of the MLflow "
        f"server at {team.address('mlflow-server', 5000)}, which refuses what is set."
    )


@pytest.mark.parametrize("login", [None, "admin:wrong"])
def test_without_credentials_prefect_refuses(team, login):
    assert prefect(team, "flow_runs/filter", {}, login) == (401, None)
    assert prefect(team, "flow_runs/filter", {})[0] == 200


def test_without_a_password_redis_refuses(team):
    address = team.services["redis"].address
    ping = subprocess.run(
        ["redis-cli", "-h", address, "ping"], capture_output=True, text=True, check=False
    )
    assert "NOAUTH" in ping.stdout + ping.stderr


def test_no_secret_is_written_down(team, swift, flow_run):
    """Neither in databases, queues, objects, logs nor the workspace."""
    environment = team.services["database"].environment | {
        "PGHOST": str(team.folder / "postgres"),
        "PGUSER": "postgres",
    }
    dump = subprocess.run(
        [program("pg_dumpall")], env=environment, capture_output=True, check=True
    ).stdout
    assert b"compress-scheduled" in dump
    written = {"database": dump}
    for folder in ("runs", "data", "homes", "dask"):
        files = [x for x in (team.folder / folder).rglob("*") if x.is_file()]
        written |= {str(x): x.read_bytes() for x in files}
    written |= {str(x): x.read_bytes() for x in team.folder.glob("*.log")}
    for key in swift.client.list_objects_v2(Bucket="mixmatch", MaxKeys=1000)["Contents"]:
        body = swift.client.get_object(Bucket="mixmatch", Key=key["Key"])["Body"]
        written[key["Key"]] = body.read()
    secrets = [*SECRETS.values(), KEYS["S3_ACCESS_KEY"]]
    found = [(x, s) for x, content in written.items() for s in secrets if s.encode() in content]
    assert found == []
