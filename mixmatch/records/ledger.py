"""Who holds an alias since when and why: the entries of the append-only promotion ledger."""

from typing import Literal

from pydantic import Field

from mixmatch.records.record import Record

Action = Literal["promotion", "request", "refusal", "rollback"]


class VersionFacts(Record):
    """What a registered version says of itself, as far as the gates of a policy read it.

    Attributes:
        version: its number.
        digest: SHA-256 of its packed file.
        bytes: of that file on disk.
        sparsity: counted, a fraction.
        validation_accuracy: a fraction.
        accuracy: on the test images, a fraction.
        data_digest: SHA-256 of the data set; None: it says none.
        drop_mean: loss of validation accuracy against the base, a fraction; None: it says none.
        drop_high: upper end of the 95 % interval of that loss; None likewise.
        fronts: of ``sparsity`` and ``bytes`` those of whose front it is; None: it says none.
        processor: model of the processor that it was timed on; None: it was not timed.
        median_s: seconds for one batch, by runtime and batch size.
        key: digest of the job that made it; None: it says none.
    """

    version: int
    digest: str
    bytes: int
    sparsity: float
    validation_accuracy: float
    accuracy: float
    data_digest: str | None = None
    drop_mean: float | None = None
    drop_high: float | None = None
    fronts: tuple[str, ...] | None = None
    processor: str | None = None
    median_s: dict[str, dict[str, float]] = Field(default_factory=dict)
    key: str | None = None


class Gate(Record):
    """One demand of a policy on one candidate.

    Attributes:
        name: the policy's key.
        allowed: what it demands, as text.
        found: what the candidate has, as text.
        ok: whether it passes.
        shortfall: how far a numeric gate is missed, relative to what is allowed; 0 if it passes,
            None where there is no number.
    """

    name: str
    allowed: str
    found: str
    ok: bool
    shortfall: float | None = None


class Verdict(Record):
    """What an audit comes to.

    Attributes:
        ok: whether no link failed.
        missing: links that cannot be checked because evidence is gone.
    """

    ok: bool
    missing: tuple[str, ...] = ()


class Candidate(Record):
    """One registered version before the gates of a policy.

    Attributes:
        version: its number.
        digest: SHA-256 of its packed file.
        bytes: of that file on disk.
        sparsity: counted, a fraction.
        validation_accuracy: what decides, a fraction.
        accuracy: on the test images, shown and never compared, a fraction.
        gates: in the order of the policy.
    """

    version: int
    digest: str
    bytes: int
    sparsity: float
    validation_accuracy: float
    accuracy: float
    gates: tuple[Gate, ...]

    @property
    def passes(self) -> bool:
        """Whether every gate is passed."""
        return all(gate.ok for gate in self.gates)


class LedgerEntry(Record):
    """One entry; its digest is the SHA-256 of its canonical JSON, and the next entry names it.

    Attributes:
        number: 1, 2, 3 and so on without gaps, over all models and aliases of a store.
        before: digest of entry ``number - 1``; None for the first.
        action: ``promotion`` and ``rollback`` move the alias, ``request`` asks a person to approve
            one, ``refusal`` is that person's no.
        name: registered model.
        alias: that is moved.
        version: that holds it afterwards, or would.
        digest: SHA-256 of that version's packed file.
        held_before: version that the ledger says held the alias; None: nobody.
        found_before: version that the registry said held it; another than ``held_before`` if it was
            moved past the ledger.
        at: time, ISO 8601, UTC.
        who: that asked for it: user at host, or what the caller named.
        why: in that person's words, or by rule.
        policy_digest: SHA-256 of the policy; None for a rollback.
        policy: all its settings.
        candidates: every version that was considered, with its gates.
        request: number of the entry that asked for this one; None: nobody had to.
    """

    number: int
    before: str | None
    action: Action
    name: str
    alias: str
    version: int
    digest: str
    held_before: int | None
    found_before: int | None
    at: str
    who: str
    why: str
    policy_digest: str | None = None
    policy: dict[str, object] | None = None
    candidates: tuple[Candidate, ...] = ()
    request: int | None = None
