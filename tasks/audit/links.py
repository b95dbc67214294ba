"""Links of a lineage and what became of them; a link is only as good as those that it needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mixmatch.errors import MixMatchError, ServiceError
from mixmatch.records import Record

# What code raises that is given JSON of another form, or tensors of another shape.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)


class Link(Record):
    """One thing that the audit has compared.

    Attributes:
        name: for example ``plan/ranges``: what of which step.
        expected: what is recorded; None: nothing.
        found: what was recomputed or read; None: nothing.
        ok: whether they agree; None: that cannot be said.
        why: why it cannot, or what differs; None: there is nothing to add.
        missing: whether it cannot be said because evidence is gone that once was there.
    """

    name: str
    expected: str | None
    found: str | None
    ok: bool | None
    why: str | None = None
    missing: bool = False


class VersionAudit(Record):
    """All links of one version.

    Attributes:
        reference: ``NAME/version``; of a file that nobody registered, its name.
        ok: whether no link failed.
        links: in the order in which they were walked.
    """

    reference: str
    ok: bool
    links: tuple[Link, ...]

    @property
    def failed(self) -> tuple[Link, ...]:
        """The links that do not hold."""
        return tuple(link for link in self.links if link.ok is False)

    @property
    def unchecked(self) -> tuple[Link, ...]:
        """The links of which nothing can be said."""
        return tuple(link for link in self.links if link.ok is None)

    @property
    def missing(self) -> tuple[Link, ...]:
        """Those among them whose evidence is gone; of the rest there never was any."""
        return tuple(link for link in self.links if link.missing)


class Audit(Record):
    """What ``mixmatch audit --json`` prints.

    Attributes:
        ok: whether no link of any version failed.
        links: of all versions; with more than one, names begin with ``NAME/version:``.
        versions: the same by version.
        seconds: wall time.
    """

    ok: bool
    links: tuple[Link, ...]
    versions: tuple[VersionAudit, ...]
    seconds: float

    @classmethod
    def of(cls, versions: Sequence[VersionAudit], seconds: float) -> "Audit":
        """Join the audits of several versions."""
        alone = len(versions) == 1
        links = tuple(
            link if alone else link.model_copy(update={"name": f"{one.reference}:{link.name}"})
            for one in versions
            for link in one.links
        )
        return cls(
            ok=all(one.ok for one in versions),
            links=links,
            versions=tuple(versions),
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a comparison came to.

    Attributes:
        expected: what is recorded.
        found: what was recomputed or read.
        ok: whether they agree; None: that cannot be said.
        why: likewise as of a link.
        missing: likewise.
    """

    expected: str | None
    found: str | None
    ok: bool | None
    why: str | None = None
    missing: bool = False


def compared(expected: object, found: object, why: str | None = None) -> Finding:
    """Compare two values; ``why`` is said where they differ."""
    ok = expected == found
    return Finding(_text(expected), _text(found), ok, None if ok else why)


def unknown(why: str, expected: object = None) -> Finding:
    """Say that something cannot be checked, because evidence is gone."""
    return Finding(_text(expected), None, None, why, missing=True)


def never_there(why: str, expected: object = None) -> Finding:
    """Say that there is nothing to check: such evidence was never made, or nobody asks for it."""
    return Finding(_text(expected), None, None, why)


@dataclass(slots=True)
class Walk:
    """The links of one version so far.

    Attributes:
        links: by name, in their order.
    """

    links: dict[str, Link] = field(default_factory=dict)

    def check(self, name: str, compare: Callable[[], Finding], needs: Sequence[str] = ()) -> bool:
        """Add the link ``name`` and say whether it holds.

        A link whose needs do not all hold is not compared: what failed is named once, there. What
        ``compare`` raises is a failure of the link, but that a server does not answer.
        """
        broken = next((x for x in needs if not self.holds(x)), None)
        if broken is not None:
            finding = unknown(f"needs {broken}, which does not hold or cannot be checked")
        else:
            try:
                finding = compare()
            except ServiceError as error:
                finding = unknown(str(error))
            except MixMatchError as error:
                finding = Finding("readable", None, ok=False, why=str(error))
            except _MALFORMED as error:  # a forged lineage need not have the form of ours
                what = " ".join(str(error).split())[:200]
                why = f"it has not the form of a lineage: {type(error).__name__} {what}"
                finding = Finding("readable", None, ok=False, why=why)
        self.links[name] = Link(
            name=name,
            expected=finding.expected,
            found=finding.found,
            ok=finding.ok,
            why=finding.why,
            missing=finding.missing,
        )
        return finding.ok is True

    def holds(self, name: str) -> bool:
        """Say whether a link was checked and holds; one that was never added does."""
        return name not in self.links or self.links[name].ok is True

    def result(self, reference: str) -> VersionAudit:
        """Return the audit of one version."""
        links = tuple(self.links.values())
        ok = all(link.ok is not False for link in links)
        return VersionAudit(reference=reference, ok=ok, links=links)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
