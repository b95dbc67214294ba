"""Nothing calls home: the variables that switch off the telemetry of every tool we start.

To silence another tool, add its variable to the table.
"""

import os

# MLflow honours DO_NOT_TRACK only if it reads "true"; Prefect takes that too.
_OFFLINE = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    # An unpickled model runs whatever its writer wanted; ours hold no pickle.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def offline_environment() -> dict[str, str]:
    """Return the variables under which Prefect, MLflow and DVC keep to themselves."""
    return dict(_OFFLINE)


def apply_offline_environment() -> None:
    """Set these variables in this process, and so in all that it starts.

    Call it before any of the tools is imported: most read their variables at import.
    """
    os.environ.update(_OFFLINE)
