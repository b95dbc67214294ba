"""The content-addressed store: the one cache that decides what is already done.

``objects/ab/abcd...`` holds files under the SHA-256 of their bytes, ``records/STEP/KEY.json`` the
record of a step under the digest of its true inputs. A store is a folder or a bucket; to add a
kind: a subclass of ``Store``, and its line in ``open_store``.
"""

from tasks.store.folder import FolderStore
from tasks.store.names import object_name
from tasks.store.opening import check_bucket, open_store
from tasks.store.store import Entry, Envelope, Store
from tasks.store.trial import try_store

__all__ = [
    "Entry",
    "Envelope",
    "FolderStore",
    "Store",
    "check_bucket",
    "object_name",
    "open_store",
    "try_store",
]
