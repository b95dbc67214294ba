"""OpenStack Swift on this machine, a real S3 server: four daemons, one folder, one address."""

import os
import socket
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config

BUCKET = "bucket"
PLANTED = "planted-of-s3-7f1c"  # the secret of the key test:planted

_PROGRAMS = Path(sys.executable).parent
_LIMIT_S = 60.0
_POLL_S = 0.05
_BACKENDS = ("account", "container", "object")

_COMMON = """
[DEFAULT]
swift_dir = {root}
devices = {root}/devices
mount_check = false
bind_ip = {host}
bind_port = {port}
workers = 0
user = {user}
log_level = ERROR
"""
_BACKEND = """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""
_FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "cache", "listing_formats", "bulk", "tempurl"),
    *("s3api", "tempauth", "slo", "dlo", "versioned_writes", "symlink"),
)
_OPTIONS = {
    "cache": ("use = egg:swift#memcache",),
    "s3api": ("use = egg:swift#s3api", "location = us-east-1", "allow_no_owner = true"),
    "tempauth": (
        "use = egg:swift#tempauth",
        "user_test_tester = testing .admin",
        f"user_test_planted = {PLANTED} .admin",  # a secret that nothing else spells
    ),
    "versioned_writes": ("use = egg:swift#versioned_writes", "allow_object_versioning = true"),
}
# Where each daemon is: one place of one copy. In a process of its own, because Swift's modules
# change how threads and sockets work.
_RINGS = """
import sys
from swift.common.ring import RingBuilder
host, *arguments = sys.argv[1:]
for argument in arguments:
    file, _, port = argument.rpartition("=")
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": host,
                     "port": int(port), "device": "d1"})
    builder.rebalance()
    builder.get_ring().save(file)
"""


class Swift:
    """The server; ``stop`` and ``start`` keep what it holds.

    Attributes:
        endpoint: its address.
        environment: variables by which the SDK finds it.
    """

    def __init__(self, root, host="127.0.0.1"):
        self._root, self._host = root, host
        self._ports = dict(zip(("proxy", *_BACKENDS), _free_ports(1 + len(_BACKENDS)), strict=True))
        self._processes = []
        self.endpoint = f"http://{host}:{self._ports['proxy']}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test:tester",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            # Whoever runs the tests may have settings of their own.
            "AWS_CONFIG_FILE": str(root / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(root / "none"),
        }
        self._write_settings()

    def start(self):
        """Start the daemons and return once the server answers."""
        with (self._root / "log.txt").open("ab") as log:
            for kind in self._ports:
                command = [_PROGRAMS / f"swift-{kind}-server", self._root / f"{kind}.conf"]
                self._processes.append(
                    subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
                )
        deadline = time.monotonic() + _LIMIT_S
        while not self._answers():
            assert time.monotonic() < deadline, (self._root / "log.txt").read_text()
            time.sleep(_POLL_S)

    def stop(self):
        """End the daemons without warning."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()

    @cached_property
    def client(self):
        """Return a plain client, for what the code under test does not do itself."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="test:tester",
            aws_secret_access_key="testing",
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def _answers(self):
        if any(process.poll() is not None for process in self._processes):
            raise AssertionError((self._root / "log.txt").read_text())
        try:
            self.client.list_buckets()
        except Exception:
            return False
        return True

    def _write_settings(self):
        (self._root / "devices" / "d1").mkdir(parents=True)
        (self._root / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n"
            "[storage-policy:0]\nname = default\ndefault = yes\n"
        )
        for kind in _BACKENDS:
            self._write(kind, _BACKEND.format(kind=kind))
        places = [f"{self._root / kind}.ring.gz={self._ports[kind]}" for kind in _BACKENDS]
        subprocess.run([sys.executable, "-c", _RINGS, self._host, *places], check=True)
        pipeline = f"[pipeline:main]\npipeline = {' '.join(_FILTERS)} proxy-server\n"
        sections = [
            pipeline,
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true",
        ]
        for name in _FILTERS:
            options = _OPTIONS.get(name, (f"use = egg:swift#{name}",))
            sections.append("\n".join((f"[filter:{name}]", *options)))
        self._write("proxy", "\n".join(sections))

    def _write(self, kind, text):
        common = _COMMON.format(
            root=self._root,
            host=self._host,
            port=self._ports[kind],
            user=os.environ.get("USER") or _user(),
        )
        (self._root / f"{kind}.conf").write_text(common + text)


def _user():
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(num):
    """Return ports that nobody listens on; all are held until the last is found."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(num)]
    ports = [x.getsockname()[1] for x in sockets]
    for held in sockets:
        held.close()
    return ports
