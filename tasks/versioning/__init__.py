"""DVC: versions of the data set and of the family's files, in the workspace's own repository.

The repository has no git behind it: its history is the pointer files, which MLflow keeps too.
"""

from tasks.versioning.pointers import current_version, is_kept
from tasks.versioning.restore import restore_files
from tasks.versioning.versions import VersionedFiles, version_files

__all__ = ["VersionedFiles", "current_version", "is_kept", "restore_files", "version_files"]
