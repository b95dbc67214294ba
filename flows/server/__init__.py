"""The Prefect server of a workspace: found or started when needed, ended by its last user.

It imports no Prefect, so that a server can start while the rest of the program still loads.
"""

from flows.server.managed import end_orphans, kept_up, server_url
from flows.server.start import ServerStart, begin_server, local_server

__all__ = ["ServerStart", "begin_server", "end_orphans", "kept_up", "local_server", "server_url"]
