"""Retention: what of MLflow, DVC and the store may go together, and how it goes.

What is needed is marked from what stays, and everything else that is old enough is swept; so no
list of what was begun has to be kept, and a command that is killed is completed by running it
again.
"""

from tasks.retention.collecting import collect
from tasks.retention.policy_file import load_retention

__all__ = ["collect", "load_retention"]
