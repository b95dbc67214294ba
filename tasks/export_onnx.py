"""A registered network as an ONNX file that was compared with torch on real images.

Both formats need the data set that the network was made with: for the comparison, and int8 to
calibrate. Images of the test split are never read.
"""

import json
from pathlib import Path

import torch
from torch import nn

from mixmatch.errors import ArtifactError, ConfigError, RegistryError
from mixmatch.factories import Factory
from mixmatch.images import ImageSet
from mixmatch.packed import PackedHeader, load_packed, read_header
from mixmatch.s3_address import is_s3
from tasks.export_summary import Agreement
from tasks.factory import factory_of, is_factory
from tasks.fetch import load_split
from tasks.onnx_files import (
    OnnxNetwork,
    check_agreement,
    evenly_spaced,
    graph_of,
    measure_agreement,
    pixels,
    to_int8,
    with_weights,
)
from tasks.site import Site
from tasks.store import Store, open_store
from tasks.tracking import RegisteredFile, show_model

_MAX_CALIBRATION = 512
_MAX_COMPARED = 2048

_DESCRIBED = ("architecture", "arguments", "classes", "image_shape", "mean", "std")


def write_onnx(
    site: Site, registered: RegisteredFile, to: Path, *, factory: str | None
) -> Agreement:
    """Write a registered network to ``to`` as a float32 ONNX file, and compare it with torch.

    Args:
        site: where the registry is, and what it tells of the data set.
        registered: the network's packed file.
        to: the file.
        factory: ``package.module:factory`` that builds a user's own network; None for a known one.

    Raises:
        ConfigError: torch cannot export the network, or ``factory`` is not its own.
        PackedFormatError: the packed file names a network that cannot be built.
        RegistryError: the version does not say what data it was made with.
        ArtifactError: the data set is no longer there, or the ONNX file does not give what torch
            gives.
    """
    model, header, data = _opened(site, registered, factory)
    to.write_bytes(_float32(model, header, registered))
    agreement = _compared(model, header, to, data)
    check_agreement(agreement)
    return agreement


def write_onnx_int8(
    site: Site, registered: RegisteredFile, to: Path, *, factory: str | None
) -> Agreement:
    """Write a registered network to ``to`` as a static int8 ONNX file; compare it with torch.

    How well the two agree is for the reader to judge: it depends on the network.

    Args:
        site: where the registry is, and what it tells of the data set.
        registered: the network's packed file.
        to: the file.
        factory: as for ``write_onnx``.

    Raises:
        ConfigError: as ``write_onnx``.
        PackedFormatError: likewise.
        RegistryError: likewise.
        ArtifactError: the data set is no longer there.
    """
    model, header, data = _opened(site, registered, factory)
    calibration = evenly_spaced(load_split(data, "calibration"), _MAX_CALIBRATION)
    whole = _float32(model, header, registered)
    to.write_bytes(to_int8(whole, pixels(calibration.images[:])))
    return _compared(model, header, to, data)


def _opened(
    site: Site, registered: RegisteredFile, factory: str | None
) -> tuple[nn.Module, PackedHeader, Path]:
    """Return the network, its file's header, and the file of its data set; cheap checks first."""
    header = read_header(registered.path)
    build = _factory(header, registered, factory)
    data = _data_file(site, registered)
    return load_packed(registered.path, factory=build), header, data


def _factory(header: PackedHeader, registered: RegisteredFile, given: str | None) -> Factory | None:
    """Return what builds a user's own network; nothing is imported because a file says so."""
    needed = header.spec.architecture if is_factory(header.spec.architecture) else None
    if given != needed:
        allowed = f"be {needed}, the user's own network that it is" if needed else "be left out"
        raise ConfigError(
            f"--factory must {allowed}, to export {registered.name}, version "
            f"{registered.version}, as ONNX; got {given!r}."
        )
    return factory_of(header.spec)


def _data_file(site: Site, registered: RegisteredFile) -> Path:
    detail = show_model(site, f"{registered.name}/{registered.version}")
    digest = detail.tags.get("data.digest")
    if digest is None:
        raise RegistryError(
            f"models:/{registered.name}/{registered.version} must have the tag data.digest to be "
            "compared as ONNX with torch on its data; it has none."
        )
    stores = _stores(site, detail.settings.get("store", "null"))
    for store in stores:
        if found := store.find_file(digest):
            return found
    raise ArtifactError(
        f"To export {registered.name}, version {registered.version}, as ONNX, the store "
        f"{stores[-1].address} must hold its data set {digest}; `mixmatch fetch` with its run file "
        "brings that back."
    )


def _stores(site: Site, stated: str) -> tuple[Store, ...]:
    """Return where the data set may be: in the workspace's store, or in that of the run file."""
    own = site.open_store()
    if stated == "null":
        return (own,)
    place = stated if is_s3(stated) else str(Path(stated).expanduser().absolute())
    return own, open_store(place, site.open_workspace().cache)


def _float32(model: nn.Module, header: PackedHeader, registered: RegisteredFile) -> bytes:
    graph = graph_of(model, header.spec)
    return with_weights(graph, model.state_dict(), _properties(header, registered))


def _properties(header: PackedHeader, registered: RegisteredFile) -> dict[str, str]:
    """Return what an ONNX file tells of its network, by key; texts as they are, all else JSON."""
    spec = header.spec.model_dump(mode="json")
    prunable = [x for x in header.tensors if x.num_nonzero is not None]
    nonzero = sum(x.num_nonzero or 0 for x in prunable)
    described = {key: spec[key] for key in _DESCRIBED}
    described["sparsity"] = 1 - nonzero / sum(x.num_entries for x in prunable)
    texts = {key: x if isinstance(x, str) else json.dumps(x) for key, x in described.items()}
    return {**texts, "packed_digest": registered.digest}


def _compared(model: nn.Module, header: PackedHeader, file: Path, data: Path) -> Agreement:
    images: ImageSet = evenly_spaced(load_split(data, "validation"), _MAX_COMPARED)
    network = OnnxNetwork(file, threads=torch.get_num_threads())
    return measure_agreement(model, network, images, header.spec)
