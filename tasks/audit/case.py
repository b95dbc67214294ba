"""What is known of one version under audit, and what several versions share."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from mixmatch.digests import file_digest
from mixmatch.records import Artifact, Lineage, StepTrace
from tasks.lineage.kept import artifacts_in
from tasks.site import Site
from tasks.store import Store, object_name
from tasks.tracking.evidence import RunEvidence, VersionEvidence, run_evidence

T = TypeVar("T")

# Things of many megabytes that are held at once: a run's network and scores stay while version
# after version brings its own weights and masks.
_MOST_LARGE = 5


@dataclass(slots=True)
class Memo:
    """What was computed for one version and serves the next.

    Attributes:
        small: digests and verdicts, kept to the end.
        large: networks and scores, of which only the last are kept.
    """

    small: dict[Hashable, object] = field(default_factory=dict)
    large: OrderedDict[Hashable, object] = field(default_factory=OrderedDict)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return ``compute()``, computed once per key."""
        if key not in self.small:
            self.small[key] = compute()
        return cast(T, self.small[key])

    def last(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Likewise for something large, which is forgotten when others came since."""
        if key not in self.large:
            self.large[key] = compute()
            if len(self.large) > _MOST_LARGE:
                self.large.popitem(last=False)
        self.large.move_to_end(key)
        return cast(T, self.large[key])


@dataclass(frozen=True, slots=True)
class Case:
    """One version under audit.

    Attributes:
        site: workspace and store.
        version: what the registry says; None for a file that is not registered.
        folder: with the version's files; None where they are gone.
        packed: the packed file under audit; None where it is gone.
        lineage: what its lineage file says; None where it cannot be read.
        factory: what builds the user's own network, by the caller's word; None: known names only.
        memo: shared by all versions of one call.
    """

    site: Site
    version: VersionEvidence | None
    folder: Path | None
    packed: Path | None
    lineage: Lineage | None
    factory: str | None
    memo: Memo

    @property
    def store(self) -> Store:
        """The artifact store."""
        return self.site.open_store()

    @property
    def read(self) -> Lineage:
        """The lineage, where the link ``lineage`` holds."""
        return cast(Lineage, self.lineage)

    def digest_of(self, path: Path) -> str:
        """Return the SHA-256 of a file that does not change during the audit."""
        return self.memo.once(("digest", path), lambda: file_digest(path))

    def stored_digest(self, artifact: Artifact) -> str | None:
        """Return the SHA-256 of what the store has under an artifact's name; None: nothing."""
        return self.memo.once(("stored", artifact.digest), lambda: self._stored_digest(artifact))

    def run(self, run_id: str | None) -> RunEvidence | None:
        """Return what a run says, asked once; None where it is gone."""
        return self.memo.once(("run", run_id), lambda: run_evidence(self.site, run_id))

    def _stored_digest(self, artifact: Artifact) -> str | None:
        intact = self.store.find_file(artifact.digest)
        if intact is not None:
            return artifact.digest
        content = self.store.read(object_name(artifact.digest))
        return None if content is None else hashlib.sha256(content).hexdigest()


def artifacts_of(trace: StepTrace) -> dict[str, Artifact]:
    """Return what a step has made, by the field of its record: ``artifact``, ``curvature``."""
    return {
        name: artifact
        for name, value in trace.record.items()
        if isinstance(value, dict)
        for artifact in artifacts_in(value)
    }
