"""Jobs on a Dask cluster that speaks TLS only, with certificates of its own authority."""

import dask
import pytest
from prefect import flow

from flows.fan_out import fan_out
from flows.local_workers import local_workers
from flows.scheduler import check_scheduler
from flows.steps import as_task
from mixmatch.config import EngineSettings
from mixmatch.errors import ServiceError
from tests.flows.certificates import settings_of, variables_of, write_certificates
from tests.flows.dask_cluster import dask_cluster
from tests.flows.stand_in_steps import NumberJob, square

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def cluster(certificates, tmp_path_factory):
    encrypted = {"distributed.comm.require-encryption": "True"}
    settings = settings_of(certificates, "scheduler", "worker") | encrypted
    folder = tmp_path_factory.mktemp("dask")
    variables = variables_of(settings)
    with dask_cluster(folder, num_workers=2, scheme="tls", variables=variables) as cluster:
        yield cluster


def test_jobs_go_through_an_encrypted_cluster(server_site, cluster, certificates):
    jobs = {f"tls {n}": NumberJob(number=70 + n) for n in range(3)}
    engine = EngineSettings(kind="dask", address=cluster.address)
    task = as_task(square, server_site, run_name="{label}")

    @flow
    def parent():
        with local_workers(server_site) as workers:
            return fan_out(task, jobs, server_site, engine=engine, workers=workers)

    with dask.config.set(settings_of(certificates, "client")):
        outcome = parent()
    squares = {label: record.square for label, record in outcome.records.items()}
    assert squares == {"tls 0": 4900, "tls 1": 5041, "tls 2": 5184}
    assert outcome.failures == {}


def test_without_certificates_the_variables_are_named(cluster):
    message = (
        r"needs certificates, which DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
        r"DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY or "
        r"Dask's own configuration must name \(none is set\)\.$"
    )
    with pytest.raises(ServiceError, match=message):
        check_scheduler(cluster.address, timeout_s=5)


def test_a_stranger_with_certificates_of_another_authority_is_refused(cluster, tmp_path):
    foreign = settings_of(write_certificates(tmp_path / "foreign"), "client")
    refused = pytest.raises(ServiceError, match=r"of a Dask scheduler that answers, got 'tls://")
    with dask.config.set(foreign), refused:
        check_scheduler(cluster.address, timeout_s=2)


def test_nobody_gets_in_without_encryption(cluster):
    plain = cluster.address.replace("tls://", "tcp://")
    refused = pytest.raises(ServiceError, match=r"of a Dask scheduler that answers, got 'tcp://")
    with refused:
        check_scheduler(plain, timeout_s=2)
