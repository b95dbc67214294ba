"""MLflow: one run per flow, one below it per member, and the model registry. Nothing else uses it.

MLflow is a view of what the store holds; every write can be repeated without a second entry.
"""

from tasks.tracking.aliases import Aliases
from tasks.tracking.browse import ModelDetail, ModelRow, list_models, show_model
from tasks.tracking.connection import connect, prepare_tracking
from tasks.tracking.download import (
    RegisteredFile,
    download_packed,
    download_weights,
    pinned_address,
)
from tasks.tracking.facts import version_facts
from tasks.tracking.finished import FinishedRun, find_finished
from tasks.tracking.registry import (
    MOST_ACCURATE,
    SMALLEST,
    register_front,
    standing_versions,
)
from tasks.tracking.results import open_children, record_result, record_rival
from tasks.tracking.runs import close_run, fail_run, open_run
from tasks.tracking.status import is_finished, newest_version, remembered

__all__ = [
    "MOST_ACCURATE",
    "SMALLEST",
    "Aliases",
    "FinishedRun",
    "ModelDetail",
    "ModelRow",
    "RegisteredFile",
    "close_run",
    "connect",
    "download_packed",
    "download_weights",
    "fail_run",
    "find_finished",
    "is_finished",
    "list_models",
    "newest_version",
    "open_children",
    "open_run",
    "pinned_address",
    "prepare_tracking",
    "record_result",
    "record_rival",
    "register_front",
    "remembered",
    "show_model",
    "standing_versions",
    "version_facts",
]
