"""Health checks of the services: exit status 0, or a sentence on stderr and 1.

Each argument is a check: ``http://HOST:PORT/PATH`` asks a page; ``pool:NAME`` asks Prefect's server
whether a worker serves that pool; ``recorder`` asks Redis whether Prefect's services take task runs
from it, without which every run looks unfinished.
"""

import base64
import http.client
import json
import os
import sys
from urllib.parse import urlsplit

_ANSWER_S = 5.0
_SILENT_MS = 30_000  # the recorder asks for work once a second
_STREAM, _GROUP = "events", "task-run-recorder"


class UnhealthyError(Exception):
    """Something does not work; the message says what."""


def get(url: str, login: str | None = None) -> bytes:
    """Return a page; never through a proxy."""
    parts = urlsplit(url)
    headers = {}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection = http.client.HTTPConnection(parts.netloc, timeout=_ANSWER_S)
    try:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnhealthyError(f"{url} does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise UnhealthyError(f"{url} answers {answer.status}")
    return content


def check_pool(name: str) -> None:
    """Ask whether a worker has told the server lately that it serves the pool."""
    url = f"{os.environ['PREFECT_API_URL']}/work_pools/{name}"
    pool = json.loads(get(url, os.environ.get("PREFECT_API_AUTH_STRING")))
    if pool["status"] == "NOT_READY":
        raise UnhealthyError(f"no worker serves the pool {name}")


def check_recorder() -> None:
    """Ask whether a recorder of task runs has asked for work lately."""
    from redis import Redis, RedisError  # noqa: PLC0415  the other checks need none

    names = ("host", "port", "db", "password")
    settings = {x: os.environ.get(f"PREFECT_REDIS_MESSAGING_{x.upper()}") for x in names}
    try:
        with Redis(**settings, socket_timeout=_ANSWER_S) as redis:
            consumers = redis.xinfo_consumers(_STREAM, _GROUP)
    except RedisError as error:
        raise UnhealthyError(f"Redis knows no recorder of task runs: {error}") from error
    if not any(consumer["idle"] < _SILENT_MS for consumer in consumers):
        raise UnhealthyError(f"{len(consumers)} recorders, none asks for task runs")


def check(what: str) -> None:
    """Do one check; raises UnhealthyError."""
    kind, _, name = what.partition(":")
    if kind == "pool":
        check_pool(name)
    elif kind == "recorder":
        check_recorder()
    else:
        get(what)


if __name__ == "__main__":
    try:
        for argument in sys.argv[1:]:
            check(argument)
    except UnhealthyError as error:
        sys.exit(str(error))
