"""Every failure that mixmatch raises on purpose.

MixMatchError
|- InputError             what the user gave is wrong: a file, a setting, a model (exit code 2)
|  |- ConfigError         a setting is unknown, out of range, or contradicts another
|  |- DataError           a data source is missing, empty, or corrupt
|  |- CheckpointError     a weights file is missing, corrupt, or of another architecture
|  |- LayerError          a layer is missing, or not prunable
|  |- SparsityError       a sparsity outside its allowed interval
|  |- ScoreError          a criterion gave scores that cannot be ranked
|  |- PackedFormatError   a packed file is damaged, lies, or comes from a newer version
|  |- RegistryError       a registered model, version or alias does not exist
|  |- LineageError        a lineage is missing, damaged, or contradicts itself
|  |- WorkspaceError      the workspace cannot be read or written
|  `- StorageError        an object store refuses: no such bucket, no access, no credentials
`- WorkError              the work itself failed (exit code 1)
   |- ArtifactError       a stored artifact is missing or is not what its digest says
   |- TrainingError       a training diverged, or did not keep its zeros
   |- ServiceError        a server that the run needs did not start or did not answer
   |- FamilyError         some members of the family failed; the others are kept
   |- LedgerError         the promotion ledger is damaged, has gaps, or was changed
   `- PromotionError      no version passes, or the alias moved while one was promoted
"""


class MixMatchError(Exception):
    """Base class: catch it to catch all that this library raises on purpose."""


class InputError(MixMatchError, ValueError):
    """What the user gave is wrong; the message names the setting, the value and what is allowed."""


class ConfigError(InputError):
    """A setting is unknown, outside its allowed values, or contradicts another."""


class DataError(InputError):
    """A data source is missing, empty, or corrupt."""


class CheckpointError(InputError):
    """A weights file is missing, corrupt, holds NaN, or belongs to another architecture."""


class LayerError(InputError, LookupError):
    """A layer is missing from the model, or may not be pruned."""


class SparsityError(InputError):
    """A sparsity is outside its allowed interval.

    Attributes:
        value: the sparsity that was refused, a fraction.
        low: lower end of the closed interval it should lie in, a fraction.
        high: upper end of that interval, a fraction.
    """

    def __init__(self, what: str, value: float, low: float = 0.0, high: float = 1.0) -> None:
        """Build the message from the name of the quantity, its value and its interval."""
        super().__init__(f"{what} must be a fraction in [{low}, {high}], got {value}.")
        self.what, self.value, self.low, self.high = what, value, low, high

    def __reduce__(self) -> tuple[type["SparsityError"], tuple[str, float, float, float]]:
        """Rebuild from the four values: a worker's error travels by pickle on Dask's wire."""
        return type(self), (self.what, self.value, self.low, self.high)


class ScoreError(InputError):
    """A criterion gave scores that cannot be ranked (NaN or infinite)."""


class PackedFormatError(InputError):
    """A packed file is damaged, contradicts itself, or comes from a newer version."""


class RegistryError(InputError, LookupError):
    """A registered model, version or alias does not exist."""


class LineageError(InputError):
    """A lineage is missing, damaged, contradicts itself, or has no valid signature."""


class WorkspaceError(InputError, OSError):
    """The workspace cannot be read or written."""


class StorageError(InputError):
    """An object store refuses: there is no such bucket, no access, or there are no credentials."""


class WorkError(MixMatchError, RuntimeError):
    """The work itself failed although its input was right."""


class ArtifactError(WorkError):
    """A stored artifact is missing, or is not what its digest says."""


class TrainingError(WorkError):
    """A training diverged, or its result is not as sparse as its mask."""


class ServiceError(WorkError):
    """A server that the run needs did not start or did not answer."""


class FamilyError(WorkError):
    """Some members of the family failed; those that finished are kept."""


class LedgerError(WorkError):
    """The promotion ledger is damaged, has gaps, or an entry was changed afterwards."""


class PromotionError(WorkError):
    """No version passes its policy, or the alias moved while one was promoted."""
