"""Makes registered versions without training: packed, evaluated and recorded as a run does it."""

import json

import torch
from safetensors.torch import save_file

from mixmatch.config import FineTuneSettings, Policy, RunConfig
from mixmatch.execution import computing, network_versions
from mixmatch.layers import prunable_layers
from mixmatch.masks import count_nonzero, mask_digest
from mixmatch.packed import save_packed
from mixmatch.records import (
    Artifact,
    BaseRecord,
    DataRecord,
    Execution,
    MemberRecord,
    ModelSpec,
    Result,
)
from tasks.jobs import MemberJob
from tasks.networks import accuracy_of, build_network, open_split
from tasks.promotion import Judges, promote
from tasks.site import Site
from tasks.tracking import Aliases, open_run, record_result, register_front
from tasks.tracking.connection import connect
from tasks.workspace import Workspace

NAME = "shapes"
SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=3,
    image_shape=(16, 16, 3),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    classes=("circle", "square", "star"),
)
SPLITS = {"train": (0, 8), "calibration": (0, 8), "validation": (8, 72), "test": (72, 136)}
CONFIG = RunConfig.model_validate(
    {"data": {"name": "digits"}, "model": {"architecture": "test_resnet"}}
)
# Judges of nothing but figures, of which random networks satisfy few.
LENIENT = Policy(passes_audit=False, on_front=False)
BY = "ada@host"


class Shop:
    """One workspace with one registered model, of one architecture."""

    def __init__(self, root, store=None, spec=SPEC):
        self.site = Site.at(Workspace.open(root), store)
        self.store = self.site.open_store()
        self.spec = spec

    @property
    def client(self):
        return connect(self.site)

    @property
    def aliases(self):
        return Aliases(self.site, NAME)

    def policy(self, **changes):
        return Policy.model_validate(LENIENT.model_dump(exclude_unset=True) | changes)

    def promote(self, *, dry_run=False, judges=None, by=BY, factory=None, **changes):
        return promote(
            self.site,
            NAME,
            self.policy(**changes),
            by=by,
            judges=judges or Judges(),
            factory=factory,
            dry_run=dry_run,
        )

    def champion(self):
        return self.aliases.version_of("champion")

    def mark(self, version, alias="champion"):
        return json.loads(self.aliases.tags_of(version)[f"ledger.{alias}"])

    def tag(self, version, key, value):
        self.aliases.tag(version, key, value)

    def register(self, *, seed, pruned, on_front=True):
        """Add a version: an untrained network with some weights zero, evaluated for real."""
        data = self._data()
        torch.manual_seed(seed)
        model = build_network(self.spec).eval()
        for layer in prunable_layers(model):
            weight = model.get_submodule(layer.name).weight.data.view(-1)
            weight[: int(pruned * weight.numel())] = 0
        job = self._job(data, seed)
        result = self._result(job, self._member(model, job))
        self.store.commit(job.step, job.key, job.inputs, result.member)
        run = open_run(
            self.site, name="a run", key="k" * 64, config=CONFIG, data=self._record(data), tags={}
        )
        result = result.model_copy(update={"on_front": on_front})
        record_result(self.site, run, result, name=f"random/{seed}")
        return register_front(
            self.site,
            run,
            registered_name=NAME,
            spec=self.spec,
            results=[result],
            extra_tags={"data.digest": data.digest, "base.digest": "b" * 64},
            base=self._base(result),
        )[result.key]

    def _data(self):
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (136, 16, 16, 3), dtype=torch.uint8, generator=generator)
        splits = {name: torch.arange(*ends) for name, ends in SPLITS.items()}
        with self.store.scratch() as folder:
            save_file(
                {"images": images, "labels": torch.arange(136) % 3, **splits}, folder / "data"
            )
            return self.store.put(folder / "data")

    def _job(self, data, seed):
        execution = Execution(
            device="cpu",
            precision="float32",
            threads=1,
            small_convolutions="native",
            versions=network_versions(),
        )
        return MemberJob(
            base=Artifact(digest="b" * 64, size_bytes=1),
            data=data,
            spec=self.spec,
            criterion="magnitude",
            scores=None,
            num_pruned={},
            fine_tune=FineTuneSettings(max_epochs=0),
            augmentation="none",
            seed=seed,
            execution=execution,
        )

    def _member(self, model, job):
        layers = prunable_layers(model)
        num_weights = sum(layer.num_weights for layer in layers)
        num_nonzero = sum(count_nonzero(model, layers).values())
        with self.store.scratch() as folder:
            save_packed(folder / "packed", model, self.spec)
            artifact = self.store.put(folder / "packed")
        model.to(memory_format=torch.channels_last)
        with computing(job.execution):
            validation, test = (self._evaluate(model, job, x) for x in ("validation", "test"))
        return MemberRecord(
            artifact=artifact,
            mask_digest=mask_digest({}),
            num_weights=num_weights,
            num_nonzero=num_nonzero,
            num_parameters=num_weights,
            sparsity=(num_weights - num_nonzero) / num_weights,
            sparsity_of_all=(num_weights - num_nonzero) / num_weights,
            layer_sparsity={},
            validation_after_mask=validation,
            validation_after_batch_norm=validation,
            validation=validation,
            test=test,
            epochs=(),
            best_epoch=-1,
            seconds=0.0,
        )

    def _evaluate(self, model, job, split):
        images = open_split(self.store, job.data, split, "cpu")
        return accuracy_of(model, images, self.spec, job.execution)

    def _result(self, job, member):
        return Result(
            strategy="random",
            also=(),
            criterion="magnitude",
            seed=job.seed,
            member=member,
            accuracy_drop=0.0,
            cached=False,
            on_front=True,
            mean_validation=member.validation.value,
            front_share=1.0,
            key=job.key,
        )

    def _base(self, result):
        return BaseRecord(
            spec=self.spec,
            source="trained",
            artifact=Artifact(digest="b" * 64, size_bytes=1),
            num_parameters=1,
            num_weights=1,
            validation=result.member.validation,
            test=result.member.test,
            warnings=(),
            seconds=0.0,
        )

    def _record(self, data):
        return DataRecord(
            name="digits",
            source="embedded",
            source_digest="d" * 64,
            artifact=data,
            num_images={name: end - start for name, (start, end) in SPLITS.items()},
            classes=self.spec.classes,
            image_shape=self.spec.image_shape,
            mean=self.spec.mean,
            std=self.spec.std,
            augmentation="none",
        )
