"""A training that is put back goes on bit for bit; what does not fit is refused untouched."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from mixmatch.finetune import fine_tune
from mixmatch.images import ImageSet, Preprocessing, shuffled_batches
from mixmatch.masks import keep_masks
from mixmatch.snapshots import Snapshot, Snapshots, TrainingState, resumed
from mixmatch.training import train

DATA = ImageSet(
    torch.randint(0, 256, (24, 6, 6, 1), generator=torch.Generator().manual_seed(0)).byte(),
    torch.arange(24) % 2,
)
NUM_EPOCHS = 5


@pytest.fixture(autouse=True)
def one_thread():
    """Compute what is tiny without threads that would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class ProcessDeathError(Exception):
    """Stands in for the death of a process."""


class Memory:
    """Keeps copies of the last snapshot, and interrupts the training after some epochs."""

    def __init__(self, *, dies_after=None):
        self.kept, self.resumed_at, self._dies_after = None, None, dies_after
        self.offered = []

    def snapshots(self, *generators):
        return Snapshots(lambda: self.kept, self._offer, self._resume, generators)

    def _offer(self, num_bytes, take):
        snapshot = take()
        tensors = {name: x.clone() for name, x in snapshot.tensors.items()}
        self.offered.append((num_bytes, snapshot.num_epochs, tensors))
        self.kept = Snapshot(snapshot.num_epochs, tensors, snapshot.facts)
        if snapshot.num_epochs == self._dies_after:
            self._dies_after = None
            raise ProcessDeathError

    def _resume(self, snapshot):
        self.resumed_at = snapshot.num_epochs


def network(width=4):
    """Return one whose state is in everything that a training can touch, in channels-last."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, width, 3),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 3),
        nn.Dropout(0.5),  # draws from the global generator
        nn.Flatten(),
        nn.Linear(4 * width, 2),
    )
    return model.to(memory_format=torch.channels_last)


def batches_of(generator):
    prepare = Preprocessing((0.5,), (0.25,))
    return shuffled_batches(DATA, prepare, 8, augmentation="crop_flip", generator=generator)


def tuned(memory, make_optimizer, accuracies):
    """Fine-tune as one process would; a validation answers by the number of the epoch."""
    torch.manual_seed(7)
    model, generator = network(), torch.Generator().manual_seed(1)
    masks = keep_masks({"2": model[2].weight.detach().abs()}, {"2": 70})
    optimizer = make_optimizer(model.parameters())
    heard = []

    def validate(_):
        return accuracies[(memory.resumed_at or 0) + len(heard)]

    result = fine_tune(
        model,
        masks,
        batches_of(generator),
        optimizer,
        validate,
        max_epochs=NUM_EPOCHS,
        patience=2,
        on_epoch=heard.append,
        snapshots=memory.snapshots(generator),
    )
    losses = [epoch.train_loss for epoch in result.epochs]
    return model.state_dict(), result.best_epoch, losses, len(heard)


def interrupted(*arguments, after):
    memory = Memory(dies_after=after)
    with pytest.raises(ProcessDeathError):
        tuned(memory, *arguments)
    return tuned(memory, *arguments)


OPTIMIZERS = {
    "adam": lambda x: Adam(x, lr=0.01),
    "fused adam": lambda x: Adam(x, lr=0.01, fused=True),
    "sgd": lambda x: SGD(x, lr=0.01, momentum=0.9, fused=True),
}
RISING, PEAK = [0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.5, 0.3, 0.2, 0.9]


@pytest.mark.parametrize("make_optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("accuracies", "num_epochs"), [(RISING, 5), (PEAK, 4)])
@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_fine_tune_ends_as_one_that_nothing_interrupted(
    make_optimizer, accuracies, num_epochs, after
):
    state, best_epoch, losses, _ = tuned(Memory(), make_optimizer, accuracies)
    again = interrupted(make_optimizer, accuracies, after=after)
    assert again[1:] == (best_epoch, losses, num_epochs - after)
    assert all(torch.equal(again[0][name], x) for name, x in state.items())


def trained(memory, schedule):
    torch.manual_seed(7)
    model, generator = network(), torch.Generator().manual_seed(1)
    losses = train(
        model,
        batches_of(generator),
        epochs=NUM_EPOCHS,
        learning_rate=0.01,
        schedule=schedule,
        steps_per_epoch=3,
        snapshots=memory.snapshots(generator),
    )
    return model.state_dict(), losses


@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
@pytest.mark.parametrize("after", [1, 4])
def test_an_interrupted_dense_training_ends_as_one_that_nothing_interrupted(schedule, after):
    state, losses = trained(Memory(), schedule)
    memory = Memory(dies_after=after)
    with pytest.raises(ProcessDeathError):
        trained(memory, schedule)
    again, losses_again = trained(memory, schedule)
    assert memory.resumed_at == after
    assert losses_again == losses
    assert all(torch.equal(again[name], x) for name, x in state.items())


def test_the_state_after_the_last_epoch_is_not_offered():
    dense, all_epochs, stale = Memory(), Memory(), Memory()
    trained(dense, "constant")
    tuned(all_epochs, OPTIMIZERS["adam"], RISING)
    tuned(stale, OPTIMIZERS["adam"], PEAK)
    epochs = [[x for _, x, _ in memory.offered] for memory in (dense, all_epochs, stale)]
    assert epochs == [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3]]


def test_the_size_that_is_told_is_that_of_the_tensors_beside_generators_and_best():
    memory = Memory()
    tuned(memory, OPTIMIZERS["adam"], PEAK)
    for num_bytes, _, tensors in memory.offered:
        own = [x for name, x in tensors.items() if name.startswith(("model/", "optimizer/"))]
        assert num_bytes == sum(x.numel() * x.element_size() for x in own)


def test_a_snapshot_that_is_passed_over_changes_nothing():
    never = Memory()
    never._offer = lambda num_bytes, take: None
    state, *_ = tuned(never, OPTIMIZERS["adam"], RISING)
    same, *_ = tuned(Memory(), OPTIMIZERS["adam"], RISING)
    assert all(torch.equal(same[name], x) for name, x in state.items())


def test_a_snapshot_of_another_network_is_not_put_back():
    wide, narrow = network(width=8), network()
    kept = TrainingState(wide, Adam(wide.parameters()), ()).snapshot(1, {})
    before = {name: x.clone() for name, x in narrow.state_dict().items()}
    memory = Memory()
    memory.kept = kept
    state = TrainingState(narrow, Adam(narrow.parameters()), ())
    assert resumed(memory.snapshots(), state) is None
    assert memory.resumed_at is None
    assert all(torch.equal(narrow.state_dict()[name], x) for name, x in before.items())


def test_tensors_that_share_memory_are_kept_apart():
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    kept = TrainingState(model, SGD(model.parameters(), lr=0.1), ()).snapshot(1, {})
    places = [x.untyped_storage().data_ptr() for x in kept.tensors.values()]
    assert len(set(places)) == len(places)
    assert torch.equal(kept.tensors["model/1.weight"], model[0].weight)
