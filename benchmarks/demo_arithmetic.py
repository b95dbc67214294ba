"""The training and evaluation of ``mixmatch demo`` alone: no flow, no files, no server.

The same numbers of epochs, images, networks and evaluations as flows/cli/demo.yaml asks for, on
made-up images: ResNet-18, first the base, then its members in two one-thread processes.
"""

import multiprocessing
import os
import time
from multiprocessing.connection import Connection

import torch
from torch import nn

from benchmarks.authors_way import spec_of
from flows.cluster import worker_environment
from mixmatch.batch_norm import reestimate_batch_norm_
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of, fast_convolutions, resolve_execution
from mixmatch.finetune import fine_tune
from mixmatch.images import Batches, ImageSet, Preprocessing, ordered_batches, shuffled_batches
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.models import build_model
from mixmatch.optimizers import optimizer_for
from mixmatch.training import cross_entropy, train

# Of scikit-learn's digits, as the demo's settings divide them.
NUM_TRAIN, NUM_VALIDATION, NUM_TEST = 1094, 288, 359
BASE_EPOCHS, MEMBER_EPOCHS, MEMBERS, REFERENCES, INT8 = 6, 2, 9, 3, 2
SPARSITY, BATCH, PROCESSES = 0.8, 128, 2


def seconds() -> float:
    """Do all of it once; wall time without the start of the processes."""
    started = time.perf_counter()
    _base()
    taken = time.perf_counter() - started
    context, before = multiprocessing.get_context("spawn"), dict(os.environ)
    os.environ.update(worker_environment(threads=1))
    pipes: list[Connection] = []
    processes = []
    for number in range(PROCESSES):
        near, far = context.Pipe()
        process = context.Process(target=_member_process, args=(number, far), daemon=True)
        process.start()
        pipes.append(near)
        processes.append(process)
    os.environ.clear()
    os.environ.update(before)
    for pipe in pipes:
        pipe.recv()  # up, and everything imported
    started = time.perf_counter()
    for pipe in pipes:
        pipe.send(True)
    for pipe in pipes:
        pipe.recv()
    taken += time.perf_counter() - started
    for process in processes:
        process.join()
    return taken


def _base() -> None:
    torch.manual_seed(0)
    model = build_model(spec_of("resnet18")).to(memory_format=torch.channels_last)
    execution = resolve_execution(device="cpu", precision="auto", threads=PROCESSES)
    torch.set_num_threads(PROCESSES)
    autocast = autocast_of(execution)
    steps = -(-NUM_TRAIN // BATCH)
    with fast_convolutions(model, execution):
        train(
            model,
            _shuffled(NUM_TRAIN),
            epochs=BASE_EPOCHS,
            learning_rate=2e-3,
            steps_per_epoch=steps,
            autocast=autocast,
        )
        for number in (NUM_VALIDATION, NUM_TEST):
            evaluate(model, _ordered(number), autocast=autocast)


def _member_process(number: int, pipe: Connection) -> None:
    torch.set_num_threads(1)
    pipe.send(True)
    pipe.recv()
    for _ in range(number, MEMBERS, PROCESSES):
        _member(MEMBER_EPOCHS)
    for _ in range(number, REFERENCES, PROCESSES):
        _member(0)
    model = build_model(spec_of("resnet18")).to(memory_format=torch.channels_last)
    execution = resolve_execution(device="cpu", precision="auto", threads=1)
    with fast_convolutions(model, execution):
        for _ in range(number, INT8, PROCESSES):
            _evaluated(model, NUM_VALIDATION + NUM_TEST)
    pipe.send(True)


def _member(epochs: int) -> None:
    model = build_model(spec_of("resnet18")).to(memory_format=torch.channels_last)
    execution = resolve_execution(device="cpu", precision="auto", threads=1)
    autocast = autocast_of(execution)
    weights = {name: x.detach() for name, x in weights_of(model, prunable_layers(model)).items()}
    counts = {name: round(SPARSITY * x.numel()) for name, x in weights.items()}
    masks = keep_masks({name: x.abs() for name, x in weights.items()}, counts)
    apply_masks_(model, masks)
    optimizer = optimizer_for(model, "adam", learning_rate=1e-4, weight_decay=0.0)
    with fast_convolutions(model, execution):
        _evaluated(model, NUM_VALIDATION)
        reestimate_batch_norm_(model, _ordered(NUM_TRAIN), autocast=autocast)
        _evaluated(model, NUM_VALIDATION)
        fine_tune(
            model,
            masks,
            _shuffled(NUM_TRAIN),
            optimizer,
            lambda network: _evaluated(network, NUM_VALIDATION),
            max_epochs=epochs,
            patience=3,
            loss=cross_entropy(autocast),
        )
        _evaluated(model, NUM_TEST)


def _evaluated(model: nn.Module, number: int) -> float:
    execution = resolve_execution(device="cpu", precision="auto", threads=1)
    return evaluate(model, _ordered(number), autocast=autocast_of(execution)).value


def _images(number: int) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (number, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(number) % 10)


def _ordered(number: int) -> Batches:
    return ordered_batches(_images(number), Preprocessing((0.5,) * 3, (0.5,) * 3), BATCH)


def _shuffled(number: int) -> Batches:
    return shuffled_batches(
        _images(number),
        Preprocessing((0.5,) * 3, (0.5,) * 3),
        BATCH,
        augmentation="none",
        generator=torch.Generator().manual_seed(0),
    )
