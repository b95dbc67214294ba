"""The state of a training between two epochs: kept after one, put back before the next.

A training that is put back goes on bit for bit as if nothing had interrupted it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# Prefixes of tensor names.
_MODEL, _OPTIMIZER, _RANDOM, BEST = "model/", "optimizer/", "random/", "best/"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training after some of its epochs.

    Attributes:
        num_epochs: that are done.
        tensors: by name, on the CPU, contiguous, no two in one piece of memory.
        facts: all else, plain JSON.
    """

    num_epochs: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Where a training keeps its state between epochs, and finds it after an interruption.

    Attributes:
        load: returns what was kept last; None: the training begins anew. Called once, before the
            first epoch.
        offer: called after every epoch but the last, with the size of the state in bytes and a
            function that takes a snapshot of it; keeps that in place of the one before, or does
            not take it. The tensors may be live memory: they hold until the call returns.
        on_resume: called with the snapshot that the training goes on from, if it does.
        generators: CPU generators that the batches draw from.
    """

    load: Callable[[], Snapshot | None]
    offer: Callable[[int, Callable[[], Snapshot]], None]
    on_resume: Callable[[Snapshot], None]
    generators: tuple[torch.Generator, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingState:
    """The moving parts of a training that every kind of it has.

    Attributes:
        model: on its final device.
        optimizer: over its parameters; of those in ``mixmatch.optimizers``.
        generators: CPU generators that the batches draw from.
    """

    model: nn.Module
    optimizer: Optimizer
    generators: tuple[torch.Generator, ...]

    @property
    def num_bytes(self) -> int:
        """How large a snapshot is without the best state so far."""
        tensors = [*self.model.state_dict().values()]
        for entries in self.optimizer.state.values():
            tensors += [x for x in entries.values() if isinstance(x, Tensor)]
        return sum(x.numel() * x.element_size() for x in tensors)

    def snapshot(
        self,
        num_epochs: int,
        facts: Mapping[str, Any],
        *,
        others: Mapping[str, Tensor] | None = None,
    ) -> Snapshot:
        """Return the state as it is now, with the caller's own ``facts`` and ``others``."""
        stated = self.optimizer.state_dict()
        tensors = {f"{_MODEL}{name}": x for name, x in self.model.state_dict().items()}
        for index, entries in stated["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}/{name}": x for name, x in entries.items()}
        tensors |= dict(self._random_states())
        return Snapshot(
            num_epochs,
            separate({**tensors, **(others or {})}),
            {"param_groups": stated["param_groups"], **facts},
        )

    def fits(self, snapshot: Snapshot) -> bool:
        """Say whether ``snapshot`` is of such a model and optimizer; changes nothing."""
        shapes = {name: x.shape for name, x in self.model.state_dict().items()}
        held = _below(snapshot.tensors, _MODEL)
        best = _below(snapshot.tensors, BEST)
        same = all(
            {name: x.shape for name, x in state.items()} == shapes
            for state in (held, best)
            if state
        )
        parameters = self._parameters()
        entries = _entries(snapshot.tensors)
        known = all(
            index < len(parameters) and x.shape in ((), parameters[index].shape)
            for index, _, x in entries
        )
        return same and known and self._has_generators(snapshot)

    def put_back_(self, snapshot: Snapshot) -> None:
        """Continue from ``snapshot``, which fits."""
        self.model.load_state_dict(_below(snapshot.tensors, _MODEL))
        parameters = self._parameters()
        state: dict[int, dict[str, Tensor]] = {}
        for index, name, value in _entries(snapshot.tensors):
            state.setdefault(index, {})[name] = _laid_out_as(parameters[index], value)
        groups = [
            {
                key: tuple(x) if isinstance(x, list) and key != "params" else x
                for key, x in y.items()
            }
            for y in snapshot.facts["param_groups"]
        ]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        random = _below(snapshot.tensors, _RANDOM)
        torch.set_rng_state(random["cpu"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])
        for number, generator in enumerate(self.generators):
            generator.set_state(random[str(number)])

    def _random_states(self) -> Iterator[tuple[str, Tensor]]:
        yield f"{_RANDOM}cpu", torch.get_rng_state()
        if any(x.is_cuda for x in self.model.parameters()):
            yield f"{_RANDOM}cuda", torch.cuda.get_rng_state()
        for number, generator in enumerate(self.generators):
            yield f"{_RANDOM}{number}", generator.get_state()

    def _has_generators(self, snapshot: Snapshot) -> bool:
        return _below(snapshot.tensors, _RANDOM).keys() == {
            name.removeprefix(_RANDOM) for name, _ in self._random_states()
        }

    def _parameters(self) -> list[Tensor]:
        return [x for group in self.optimizer.param_groups for x in group["params"]]


def resumed(snapshots: Snapshots | None, state: TrainingState) -> Snapshot | None:
    """Put back what was kept last and return it; None where there is none that fits."""
    if snapshots is None:
        return None
    found = snapshots.load()
    if found is None or not state.fits(found):
        return None
    state.put_back_(found)
    snapshots.on_resume(found)
    return found


def best_tensors(snapshot: Snapshot) -> dict[str, Tensor]:
    """Return the best state that ``snapshot`` holds beside the current one; empty if none."""
    return _below(snapshot.tensors, BEST)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): x for k, x in tensors.items() if k.startswith(prefix)}


def _entries(tensors: Mapping[str, Tensor]) -> list[tuple[int, str, Tensor]]:
    """Return the optimizer's tensors: index of the parameter, name, value."""
    found = []
    for key, value in _below(tensors, _OPTIMIZER).items():
        index, name = key.split("/", 1)
        found.append((int(index), name, value))
    return found


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` with the strides of ``parameter``: fused steps walk both as flat memory."""
    if value.shape != parameter.shape or not value.dim():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors to the CPU, contiguous; one that shares another's memory is copied.

    So that safetensors takes them, which stores no memory twice.
    """
    seen: set[int] = set()
    separate = {}
    for name, value in tensors.items():
        own = value.detach().cpu().contiguous()
        place = own.untyped_storage().data_ptr()
        separate[name] = own.clone() if place in seen else own
        seen.add(place)
    return separate
