from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from tasks.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def write_image():
    """Return a function that writes a one-coloured PNG and makes its folders."""

    def write(path, colour, size=(8, 8)):
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = "L" if isinstance(colour, int) else "RGB"
        Image.new(mode, size, colour).save(path)
        return path

    return write


@pytest.fixture
def animals(tmp_path, write_image):
    """Return a folder with two classes of three grey images each, as bright as their number."""
    root = tmp_path / "animals"
    for first, name in ((10, "cat"), (20, "dog")):
        for number in range(3):
            write_image(root / name / f"{number}.png", first + number)
    return root


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Keep the test's output free of requests."""


@pytest.fixture
def serve():
    """Return a function that serves a folder on this machine and gives its address."""
    servers = []

    def start(folder):
        handler = partial(QuietHandler, directory=str(folder))
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        Thread(target=servers[-1].serve_forever).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pixel():
    """Return a function that gives the top left pixel of a row of raw data."""
    return lambda raw, row: int(np.asarray(raw.draw(row)).flat[0])
