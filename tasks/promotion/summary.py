"""What a promotion comes to: the JSON that its commands print and other programs rely on.

Keys may be added, never renamed or removed.
"""

from typing import Literal

from mixmatch.records import Candidate, Record

Outcome = Literal[
    "promoted", "unchanged", "requested", "pending", "nothing", "refused", "rolled_back"
]


class Reevaluation(Record):
    """The registry's own file, evaluated again; every figure is the recorded one.

    Attributes:
        version: its number.
        bytes: of the file.
        sparsity: counted on the network, a fraction.
        validation_accuracy: a fraction.
        accuracy: on the test images, a fraction.
        device: ``cpu`` or ``cuda``, as recorded.
        precision: ``float32`` or ``bfloat16``, as recorded.
        seconds: wall time.
    """

    version: int
    bytes: int
    sparsity: float
    validation_accuracy: float
    accuracy: float
    device: str
    precision: str
    seconds: float


class PromotionSummary(Record):
    """What ``mixmatch promote``, ``approve`` and ``rollback`` print with ``--json``.

    Attributes:
        outcome: ``promoted``; ``unchanged``: the winner holds the alias already; ``requested``: a
            person must approve; ``pending``: the same was requested before; ``nothing``: no version
            passes; ``refused``: a person said no; ``rolled_back``.
        name: registered model.
        alias: that is or would be moved.
        version: that holds it now, or would; None: no version passes.
        held_before: version that held it before, by the ledger; None: nobody.
        entry: number of the ledger's entry; None: none was written.
        entry_digest: SHA-256 of that entry; None likewise.
        policy_digest: SHA-256 of the policy; None: there was none.
        candidates: every version that was considered, with its gates.
        reevaluated: the winner's own figures; None: it was not evaluated again.
        nearest: a sentence on the nearest miss; None: some version passes.
        warnings: sentences that the user must read.
        dry_run: whether nothing was to be changed; then ``outcome`` is what would have been.
    """

    outcome: Outcome
    name: str
    alias: str
    version: int | None
    held_before: int | None
    entry: int | None = None
    entry_digest: str | None = None
    policy_digest: str | None = None
    candidates: tuple[Candidate, ...] = ()
    reevaluated: Reevaluation | None = None
    nearest: str | None = None
    warnings: tuple[str, ...] = ()
    dry_run: bool = False
