"""What MLflow holds already: is a run there and whole, and how far has a model come?"""

from tasks.site import Site
from tasks.tracking.connection import connect, connect_if_there
from tasks.tracking.repeatable import FINISHED


def is_finished(site: Site, run_id: str) -> bool:
    """Say whether a run exists, was not deleted and has ended well."""
    client = connect_if_there(site)
    if client is None:
        return False
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return bool(run.info.status == FINISHED and run.info.lifecycle_stage == "active")


def remembered(site: Site, run_id: str, tag: str, value: str) -> str:
    """Return what ``tag`` of a run says; where it says nothing yet, it is set to ``value``."""
    client = connect(site)
    known: str | None = client.get_run(run_id).data.tags.get(tag)
    if known is None:
        client.set_tag(run_id, tag, value)
    return value if known is None else known


def newest_version(site: Site, registered_name: str) -> int:
    """Return the highest version of a registered model; 0 where there is none."""
    client = connect_if_there(site)
    if client is None:
        return 0
    found = client.search_model_versions(
        f"name = '{registered_name}'", max_results=1, order_by=["version_number DESC"]
    )
    return max((int(version.version) for version in found), default=0)
