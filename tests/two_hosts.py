"""Two hosts on one machine: network namespaces, joined by a cable that can be cut.

Needs root and Debian's iproute2. Each has an address, routes and a loopback of its own, and neither
is this machine's: nothing of its own network is touched. Folders of the one can be hidden from the
other.
"""

import ctypes
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress

_HERE, _THERE = "192.0.2.1", "192.0.2.2"
_HIDE = 'for x in $HIDDEN; do mount -t tmpfs -o ro tmpfs "$x" || exit 1; done; exec "$@"'
_NETWORK = 0x40000000  # CLONE_NEWNET: the kind of namespace


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
        here: address of the host on which the block of ``two_hosts`` runs.
        there: address of the other one.
    """

    def __init__(self):
        self.here, self.there = _HERE, _THERE
        self._names = tuple(f"mm{os.getpid()}{x}" for x in "ab")

    def lay(self):
        one, other = self._names
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", one, "link", "add", one, "type", "veth", "peer", "name", other, "netns", other)
        for name, address in zip(self._names, (_HERE, _THERE), strict=True):
            _ip("-n", name, "addr", "add", f"{address}/30", "dev", name)
            _ip("-n", name, "link", "set", name, "up")

    def take_up(self):
        for name in self._names:
            with suppress(subprocess.CalledProcessError):  # it was never laid
                _ip("netns", "del", name)

    @contextmanager
    def on_this_end(self):
        """Have this thread, and all that it starts, on the first host inside the block."""
        with open("/proc/thread-self/ns/net") as before:
            with open(f"/var/run/netns/{self._names[0]}") as host:
                _enter(host)
            try:
                yield
            finally:
                _enter(before)

    def cut(self, seconds):
        """Cut it, and join it again after ``seconds``."""
        name = self._names[0]
        _ip("-n", name, "link", "set", name, "down")
        try:
            time.sleep(seconds)
        finally:
            _ip("-n", name, "link", "set", name, "up")

    def command_there(self, *hidden):
        """Return what to write before a command so that it runs there, where ``hidden`` is empty.

        Nothing can be written to the hidden folders, so that what tries it fails aloud.
        """
        folders = " ".join(str(x) for x in hidden)
        shell = ("env", f"HIDDEN={folders}", "sh", "-c", _HIDE, "sh")
        return ("ip", "netns", "exec", self._names[1], *shell)


@contextmanager
def two_hosts():
    """Yield the cable; the block runs on the first host, with all that it starts.

    What runs on the other must have ended before the block does.
    """
    cable = Cable()
    try:
        cable.lay()
        with cable.on_this_end():
            yield cable
    finally:
        cable.take_up()


def _enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), _NETWORK):
        raise OSError(ctypes.get_errno(), "setns failed")


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
