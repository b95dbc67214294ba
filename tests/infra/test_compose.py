"""What the files of ``infra/`` promise: pinned images, required passwords, health checks."""

import re
import stat

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel  # what `prefect deploy` checks

from mixmatch.config import parse_run_config
from tests.infra.compose import COMPOSE_FILE, ROOT, read_services

TEXT = COMPOSE_FILE.read_text()
REQUIRED = set(re.findall(r"\$\{(\w+):\?", TEXT))
EXAMPLE = (ROOT / "infra" / ".env.example").read_text()
FILLED = dict.fromkeys(REQUIRED, "x")
SERVICES = read_services(FILLED)
LONG_RUNNING = [name for name in SERVICES if name != "s3-bucket"]
OPTIONAL = {"MIXMATCH_TAG", "DOCKER_GROUP"}
# What `prefect deploy` reads from its environment.
PLACES = {
    "engine": {"kind": "dask", "address": "tcp://dask-scheduler:8786"},
    "store": "s3://mixmatch/store",
}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_service_has_a_health_check_and_comes_back(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_whoever_depends_on_a_service_waits_until_it_is_healthy(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        done = needed == "s3-bucket"
        expected = "service_completed_successfully" if done else "service_healthy"
        assert how == {"condition": expected}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_versions(name):
    assert re.search(r":v?\d+\.\d+", SERVICES[name]["image"])


def test_no_port_is_open_to_other_machines():
    ports = [port for x in SERVICES.values() for port in x.get("ports", ())]
    assert ports == ["127.0.0.1:5000:5000", "127.0.0.1:4200:4200"]


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_nothing_starts_without_a_password(name):
    with pytest.raises(KeyError, match=f"{name} is missing"):
        read_services({key: value for key, value in FILLED.items() if key != name})


def test_every_variable_of_a_secret_is_required():
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    assert used - REQUIRED == OPTIONAL


def test_the_example_names_every_variable_and_holds_no_value():
    assert set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)) == REQUIRED
    assert set(re.findall(r"^#(\w+)=", EXAMPLE, re.MULTILINE)) == OPTIONAL


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_an_argument(name):
    secret = dict.fromkeys(REQUIRED, "a-secret-value")
    settings = read_services(secret)[name]
    assert "a-secret-value" not in str([settings["command"], settings.get("healthcheck")])


def test_our_own_services_have_one_image_and_no_rights():
    ours = {name for name, x in SERVICES.items() if "build" in x}
    assert ours == set(SERVICES) - {"database", "redis", "s3"}
    assert {SERVICES[name]["image"] for name in ours} == {"mixmatch:0.1.0"}
    assert all(SERVICES[name]["cap_drop"] == ["ALL"] for name in ours)


def test_a_worker_with_an_accelerator_differs_in_saying_so_only():
    with_one = yaml.safe_load((ROOT / "infra" / "compose.gpu.yaml").read_text())["services"]
    assert list(with_one) == ["dask-worker"]
    command = with_one["dask-worker"]["command"]
    assert command == [*SERVICES["dask-worker"]["command"], "--resources=GPU=1"]
    assert with_one["dask-worker"]["deploy"]["replicas"] == 1


def test_the_image_is_not_run_as_root():
    lines = (ROOT / "infra" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def test_the_image_installs_the_versions_that_are_tested():
    pins = [
        set(re.findall(r"^(\S+==\S+)", (ROOT / file).read_text(), re.MULTILINE))
        for file in ("infra/requirements.lock", "requirements.lock")
    ]
    assert pins[0] <= pins[1]
    assert not [x for x in pins[0] if x.startswith(("pytest==", "mypy==", "swift=="))]


def test_docker_sees_only_what_the_image_copies():
    ignored = (ROOT / "infra" / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert "infra/.env" in ignored


def test_the_script_of_the_databases_can_be_run():
    script = ROOT / "infra" / "database" / "databases.sh"
    assert script.stat().st_mode & stat.S_IXOTH


def test_prefects_deployments_are_for_processes_and_for_containers():
    deployments = yaml.safe_load((ROOT / "infra" / "prefect.yaml").read_text())["deployments"]
    PrefectYamlModel.model_validate({"deployments": deployments})
    assert [x["work_pool"]["name"] for x in deployments] == ["mixmatch", "mixmatch-docker"]
    for deployment in deployments:
        parse_run_config(deployment["parameters"]["config"] | PLACES, "prefect.yaml")
    workers = [SERVICES[x]["command"] for x in ("prefect-worker", "docker-worker")]
    pools = [re.search(r"--pool=([\w-]+)", " ".join(command))[1] for command in workers]
    assert pools == ["mixmatch", "mixmatch-docker"]
    (container,) = [x["work_pool"]["job_variables"] for x in deployments[1:]]
    assert not [x for x in container["env"] if "SECRET" in x or "PASSWORD" in x]
