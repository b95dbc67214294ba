"""An audit as a tree: one branch per version, one leaf per link."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from tasks.audit import Audit, Link, VersionAudit

_MANY = 3  # versions above which only what does not hold is shown


def print_audit(console: "Console", audit: "Audit") -> None:
    """Print every link of few versions, of many only those that do not hold; then the verdict."""
    from rich.tree import Tree  # noqa: PLC0415  slow to load, and help does without

    for version in audit.versions:
        tree = Tree(_headline(version))
        branches: dict[str, Tree] = {}
        for link in version.links:
            if len(audit.versions) <= _MANY or link.ok is False:
                _hang(tree, branches, link)
        console.print(tree)
    _print_verdict(console, audit)


def _headline(version: "VersionAudit") -> str:
    held = sum(link.ok is True for link in version.links)
    open_ = len(version.unchecked)
    said = f"{held} links hold" + (f", {open_} cannot be checked" if open_ else "")
    return f"{version.reference}  " + (
        said if version.ok else f"{len(version.failed)} broken, {said}"
    )


def _hang(tree: "Tree", branches: "dict[str, Tree]", link: "Link") -> None:
    step, slash, what = link.name.partition("/")
    if step not in branches:
        branches[step] = tree.add(step) if slash else tree
    mark = {True: "ok", False: "BROKEN", None: "-"}[link.ok]
    style = {True: "green", False: "bold red", None: "dim"}[link.ok]
    branches[step].add(f"{mark:6} {what or step}{_reason(link)}", style=style)


def _reason(link: "Link") -> str:
    if link.ok is False:
        why = f" ({link.why})" if link.why else ""
        return f": recorded {link.expected}, found {link.found or 'nothing'}{why}"
    if link.ok is None:
        return f": {link.why}"
    shown = (link.expected or "")[:12] if _is_digest(link.expected) else link.expected
    return f"  {shown}" + (f" ({link.why})" if link.why else "")


def _is_digest(text: str | None) -> bool:
    return text is not None and len(text) >= 32 and " " not in text


def _print_verdict(console: "Console", audit: "Audit") -> None:
    num_versions = len(audit.versions)
    versions = "1 version" if num_versions == 1 else f"{num_versions} versions"
    broken = [link for link in audit.links if link.ok is False]
    unchecked = sum(link.ok is None for link in audit.links)
    console.print(
        f"\n{versions}, {len(audit.links)} links, {len(broken)} broken, {unchecked} not to be "
        f"checked, {audit.seconds:.1f} s"
    )
    for link in broken:
        console.print(f"BROKEN {link.name}", style="bold red")
        console.print(f"  recorded {link.expected}")
        console.print(f"  found    {link.found or 'nothing'}")
