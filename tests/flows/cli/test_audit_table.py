"""The tree of an audit, as people read it."""

import io

from rich.console import Console

from flows.cli.audit_table import print_audit
from tasks.audit import Audit, Link, VersionAudit

DIGEST, OTHER = "a1" * 32, "b2" * 32
HOLDS = Link(name="lineage", expected=DIGEST, found=DIGEST, ok=True)
UNSIGNED = Link(
    name="lineage/signature", expected=None, found=None, ok=None, why="no public key is configured"
)
GONE = Link(
    name="run/figures", expected=None, found=None, ok=None, why="its run is deleted", missing=True
)
BROKEN = Link(name="member/mask", expected=DIGEST, found=OTHER, ok=False)
LOST = Link(name="registry/file", expected=DIGEST, found=None, ok=False, why="it is not there")
COUNTED = Link(name="member/zeros", expected="5 of 10", found="5 of 10", ok=True)


def printed(*versions, seconds=1.25):
    console = Console(file=io.StringIO(), width=200, no_color=True)
    print_audit(console, Audit.of(versions, seconds))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def version(reference, *links):
    ok = all(link.ok is not False for link in links)
    return VersionAudit(reference=reference, ok=ok, links=links)


def test_one_version_is_a_tree_of_all_its_links():
    assert printed(version("net/1", HOLDS, UNSIGNED, COUNTED, GONE)) == [
        "net/1  2 links hold, 2 cannot be checked",
        f"├── ok     lineage  {DIGEST[:12]}",
        "├── -      signature: no public key is configured",
        "├── member",
        "│   └── ok     zeros  5 of 10",
        "└── run",
        "    └── -      figures: its run is deleted",
        "",
        "1 version, 4 links, 0 broken, 2 not to be checked, 1.2 s",
    ]


def test_what_is_broken_is_named_again_at_the_end_with_both_values():
    assert printed(version("net/1", LOST, BROKEN)) == [
        "net/1  2 broken, 0 links hold",
        "├── registry",
        f"│   └── BROKEN file: recorded {DIGEST}, found nothing (it is not there)",
        "└── member",
        f"    └── BROKEN mask: recorded {DIGEST}, found {OTHER}",
        "",
        "1 version, 2 links, 2 broken, 0 not to be checked, 1.2 s",
        "BROKEN registry/file",
        f"  recorded {DIGEST}",
        "  found    nothing",
        "BROKEN member/mask",
        f"  recorded {DIGEST}",
        f"  found    {OTHER}",
    ]


def test_of_many_versions_only_what_does_not_hold_is_shown():
    fine = [version(f"net/{number}", HOLDS, COUNTED) for number in (1, 2, 3)]
    lines = printed(*fine, version("net/4", HOLDS, BROKEN))
    assert lines[:6] == [
        "net/1  2 links hold",
        "net/2  2 links hold",
        "net/3  2 links hold",
        "net/4  1 broken, 1 links hold",
        "└── member",
        f"    └── BROKEN mask: recorded {DIGEST}, found {OTHER}",
    ]
    assert "BROKEN net/4:member/mask" in lines
