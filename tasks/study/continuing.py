"""Whether a study may be continued here: on the same data, and with the same arithmetic."""

from mixmatch.config import EngineSettings
from mixmatch.errors import ConfigError
from tasks.orders import member_execution
from tasks.study.folder import StudyFolder

_SHOWN = 12  # digits of a digest in a message


def check_same_data(folder: StudyFolder, data_digest: str) -> None:
    """Refuse data that no row of the study was measured on; a study without rows takes any.

    Args:
        folder: of the study.
        data_digest: SHA-256 of the data set's file.

    Raises:
        ConfigError: there are rows, and none of them has this digest.
        WorkspaceError: the rows cannot be read.
    """
    known = {row.data_digest for row in folder.rows()}
    if known and data_digest not in known:
        measured_on = " or ".join(sorted(digest[:_SHOWN] for digest in known))
        raise ConfigError(
            f"data must be what the rows in {folder.path} were measured on ({measured_on}), got "
            f"data with digest {data_digest[:_SHOWN]}; other data need a new folder."
        )


def check_same_execution(folder: StudyFolder, engine: EngineSettings) -> None:
    """Refuse another device, precision, number of threads or ``compile`` than the rows'.

    Args:
        folder: of the study.
        engine: of the run file; ``auto`` counts as what this machine makes of it.

    Raises:
        ConfigError: a setting comes to something else than in a row, or there is no such device.
        WorkspaceError: the rows cannot be read.
    """
    here = member_execution(engine)
    for row in folder.rows():
        if row.execution is None:
            continue
        _check_setting(folder, "device", engine.device, here.device, row.execution.device)
        _check_setting(
            folder, "precision", engine.precision, here.precision, row.execution.precision
        )
        threads = engine.threads_per_job
        _check_setting(folder, "threads_per_job", threads, here.threads, row.execution.threads)
        _check_setting(folder, "compile", engine.compile_, here.compiled, row.execution.compiled)


def _check_setting(
    folder: StudyFolder, name: str, value: object, here: object, kept: object
) -> None:
    if here != kept:
        comes_to = "" if value == here else f", which comes to {here} here"
        raise ConfigError(
            f"engine.{name} must come to {kept}, as for the rows in {folder.path}, got {value}"
            f"{comes_to}; it changes results, so another value needs a new folder."
        )
