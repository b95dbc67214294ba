"""Aliases and tags of versions, read and written; of several writers at once none breaks."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mixmatch.errors import RegistryError, ServiceError
from tasks.site import Site
from tasks.tracking.browse import require_model
from tasks.tracking.connection import connect_if_there

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

# A database that others write to refuses at times; SQLite waits by itself for seconds before.
_TRIES = 8
_PAUSE_S = 0.05
_NEVER_MIND = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "PERMISSION_DENIED")


class Aliases:
    """The aliases of one registered model.

    Raises:
        RegistryError: there is no such model.
    """

    def __init__(self, site: Site, name: str) -> None:
        """Connect to the registry of ``site``."""
        client = connect_if_there(site)
        if client is None:
            raise RegistryError(f"There is no registered model {name!r}; nothing is tracked yet.")
        self._client: MlflowClient = client
        self.name = name
        _patiently(lambda: require_model(self._client, name))

    def version_of(self, alias: str) -> int | None:
        """Return the version that an alias points at now; None: at none."""
        model = _patiently(lambda: self._client.get_registered_model(self.name))
        found = model.aliases.get(alias)
        return None if found is None else int(found)

    def point(self, alias: str, version: int) -> None:
        """Let an alias point at a version.

        Raises:
            RegistryError: the version does not exist.
            ServiceError: the registry refuses for too long.
        """
        self.tags_of(version)  # MLflow itself lets an alias point at nothing
        _patiently(lambda: self._client.set_registered_model_alias(self.name, alias, str(version)))

    def tags_of(self, version: int) -> dict[str, str]:
        """Return all tags of a version.

        Raises:
            RegistryError: the version does not exist.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

        try:
            found = _patiently(lambda: self._client.get_model_version(self.name, str(version)))
        except MlflowException as error:
            raise RegistryError(
                f"Version {version} of {self.name} must exist, but the registry has it no more."
            ) from error
        return dict(found.tags)

    def tag(self, version: int, key: str, value: str) -> None:
        """Set one tag of a version."""
        _patiently(lambda: self._client.set_model_version_tag(self.name, str(version), key, value))


def _patiently(work: Callable[[], T]) -> T:
    """Return ``work()``, trying again while the database is busy with others.

    Raises:
        MlflowException: MLflow's own, where trying again cannot help.
        ServiceError: it stayed busy.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes seconds

    for turn in range(_TRIES):
        try:
            return work()
        except MlflowException as error:
            if error.error_code in _NEVER_MIND:
                raise
            if turn == _TRIES - 1:
                reason = str(error).splitlines()[0]
                raise ServiceError(f"MLflow's registry must take a change: {reason}") from error
        time.sleep(_PAUSE_S * 2**turn * random.uniform(0.5, 1.5))
    raise AssertionError  # the last turn returns or raises
