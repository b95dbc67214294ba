"""Two hosts on one machine: this one, and a network namespace behind a cable that can be cut.

Needs root and Debian's iproute2. The other host has an address, a routing table and a loopback of
its own; folders that only this host has can be hidden from it.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress

_HERE, _THERE = "192.0.2.1", "192.0.2.2"  # of the network that is set aside for examples
_HIDE = 'for x in $HIDDEN; do mount -t tmpfs -o ro tmpfs "$x" || exit 1; done; exec "$@"'


def missing():
    """Say what this machine lacks for it; None: nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed (Debian: apt install iproute2)"
    try:
        with two_hosts():
            return None
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not allowed here ({error.stderr.strip()})"


class Cable:
    """What joins the two.

    Attributes:
        here: address of this host.
        there: address of the other one.
    """

    def __init__(self):
        self.here, self.there = _HERE, _THERE
        self._name, self._end = f"mm{os.getpid()}", f"mm{os.getpid()}b"

    def lay(self):
        _ip("netns", "add", self._name)
        _ip("link", "add", self._name, "type", "veth", "peer", "name", self._end)
        _ip("link", "set", self._end, "netns", self._name)
        _ip("addr", "add", f"{_HERE}/30", "dev", self._name)
        self._there("addr", "add", f"{_THERE}/30", "dev", self._end)
        self._there("link", "set", "lo", "up")
        self._there("link", "set", self._end, "up")
        _ip("link", "set", self._name, "up")

    def take_up(self):
        with suppress(subprocess.CalledProcessError):  # it was never laid
            _ip("link", "del", self._name)
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self._name)

    def cut(self, seconds):
        """Cut it, and join it again after ``seconds``."""
        _ip("link", "set", self._name, "down")
        try:
            time.sleep(seconds)
        finally:
            _ip("link", "set", self._name, "up")

    def command_there(self, *hidden):
        """Return what to write before a command so that it runs there, where ``hidden`` is empty.

        Nothing can be written to the hidden folders, so that what tries it fails aloud.
        """
        folders = " ".join(str(x) for x in hidden)
        shell = ("env", f"HIDDEN={folders}", "sh", "-c", _HIDE, "sh")
        return ("ip", "netns", "exec", self._name, *shell)

    def _there(self, *arguments):
        _ip("-n", self._name, *arguments)


@contextmanager
def two_hosts():
    """Yield the cable; whatever runs on the other host must have ended before the block does."""
    cable = Cable()
    try:
        cable.lay()
        yield cable
    finally:
        cable.take_up()


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
