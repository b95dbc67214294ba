"""What each step is asked to do. A job holds all true inputs of its step and nothing else.

Its ``key``, the SHA-256 of these inputs, the step's name and the step's version, is the name of the
step's record in the store and Prefect's cache key. Raise ``step_version`` when a change to the code
of a step changes its numbers. A job holds digests and settings, never a path or a tensor.
"""

from tasks.jobs.data import FetchJob, data_job
from tasks.jobs.job import Job
from tasks.jobs.members import LatencyJob, MemberJob, QuantizeJob
from tasks.jobs.preparation import BaseJob, PlanJob, RivalsJob, SensitivityJob, TargetsJob

__all__ = [
    "BaseJob",
    "FetchJob",
    "Job",
    "LatencyJob",
    "MemberJob",
    "PlanJob",
    "QuantizeJob",
    "RivalsJob",
    "SensitivityJob",
    "TargetsJob",
    "data_job",
]
