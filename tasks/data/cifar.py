"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images of 32x32, in pickled batches.

A pickle runs what its author wrote. So a file is unpickled only after the very bytes that are
unpickled had the official checksum; anything else is refused.
"""

import hashlib
import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from mixmatch.digests import json_digest
from mixmatch.errors import DataError
from tasks.data.archives import Archive, check_md5, install
from tasks.data.locate import LocatedData
from tasks.data.raw import RawData
from tasks.workspace import Workspace

_IMAGE_CHW = (3, 32, 32)


@dataclass(frozen=True, slots=True)
class Cifar:
    """One of the two data sets, read as torchvision.datasets.CIFAR10 and CIFAR100 do.

    Attributes:
        name: its folder in the workspace.
        title: what messages call it.
        archive: the official archive.
        folder: what that unpacks to.
        train: MD5 of the files with training images, by name, in their order.
        test: likewise, of those with test images.
        meta: likewise, of the one file with the class names.
        labels: key of the labels in a batch.
        classes: key of the class names in the file ``meta``.
    """

    name: str
    title: str
    archive: Archive
    folder: str
    train: Mapping[str, str]
    test: Mapping[str, str]
    meta: Mapping[str, str]
    labels: str
    classes: str

    def locate(self, root: Path | None, workspace: Workspace) -> LocatedData:
        """Find the files and compare their checksums; without ``root``, download them once.

        Args:
            root: the official folder, a folder that holds it, or the official archive, which is
                unpacked into the workspace; None: the workspace's own copy.
            workspace: where that copy is.

        Raises:
            DataError: a file is missing or not the official one, or there is no network.
        """
        path = self._find(root, workspace)
        self._check(path)
        return LocatedData(
            label=self.archive.address if root is None else str(root),
            source_digest=self._digest(),
            path=str(path),
        )

    def read(self, path: Path | None) -> RawData:
        """Load the images from the folder ``path``; its own test split holds 10,000 of them.

        Raises:
            DataError: a file is missing or not the official one.
        """
        if path is None:
            raise DataError(f"{self.title} must be located before it is read, got no folder.")
        train, test = (
            [self._load(path / name, md5) for name, md5 in files.items()]
            for files in (self.train, self.test)
        )
        ((meta, md5),) = self.meta.items()
        images_NCHW = np.concatenate([x["data"] for x in (*train, *test)]).reshape(-1, *_IMAGE_CHW)
        labels = np.concatenate([x[self.labels] for x in (*train, *test)])
        num_train = sum(len(x[self.labels]) for x in train)
        return RawData(
            labels=labels.astype(np.int64),
            rows={"train": np.arange(num_train), "test": np.arange(num_train, len(labels))},
            classes=tuple(self._load(path / meta, md5)[self.classes]),
            draw=lambda row: Image.fromarray(images_NCHW[row].transpose(1, 2, 0)),
            digest=self._digest(),
        )

    def _find(self, root: Path | None, workspace: Workspace) -> Path:
        """Return the folder with the files, unpacking or downloading what is not there."""
        if root is None:
            return self._installed(None, workspace)
        for folder in (root / self.folder, root):
            if any((folder / name).is_file() for name in self._files()):
                return folder
        archive = root / self.archive.name if root.is_dir() else root
        if not archive.is_file():
            raise DataError(
                f"data.root must be {self.archive.name}, or a folder that holds it or "
                f"{self.folder}, got {str(root)!r}."
            )
        check_md5(archive, self.archive.md5, f"get it from {self.archive.address}")
        return self._installed(archive, workspace)

    def _installed(self, archive: Path | None, workspace: Workspace) -> Path:
        """Return the folder of the workspace's copy; makes that where it is missing."""
        home = workspace.data / self.name
        if not (home / self.folder).is_dir():
            install(
                home,
                {self.archive: archive},
                lambda content: self._check(content / self.folder),
                title=self.title,
                advice=f"set data.root to {self.archive.name}, or to a folder that holds "
                f"{self.folder}",
            )
        return home / self.folder

    def _check(self, folder: Path) -> None:
        """Read every byte once, in parallel threads."""
        files, advice = self._files(), self._advice(folder)
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda x: check_md5(folder / x, files[x], advice), files))

    def _load(self, file: Path, md5: str) -> dict[str, Any]:
        """Unpickle the very bytes that were compared; the file may change in between."""
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(
                f"{file} must be readable, but: {error}; {self._advice(file.parent)}."
            ) from error
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != md5:
            raise DataError(
                f"{file} must be the official file with MD5 {md5}, found {found}; it is not "
                f"unpickled, because a pickle can run code; {self._advice(file.parent)}."
            )
        batch: dict[str, Any] = pickle.loads(content, encoding="latin1")  # written by Python 2
        return batch

    def _files(self) -> dict[str, str]:
        return {**self.train, **self.test, **self.meta}

    def _advice(self, folder: Path) -> str:
        return f"delete {folder} and get {self.archive.name} again"

    def _digest(self) -> str:
        return json_digest(self._files())


# Names and checksums of torchvision.datasets.CIFAR10 and CIFAR100, repeated so that finding the
# files does not import torch.
CIFAR10 = Cifar(
    name="cifar10",
    title="CIFAR-10",
    archive=Archive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "c58f30108f718f92721af3b95e74349a",
    ),
    folder="cifar-10-batches-py",
    train=MappingProxyType(
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        }
    ),
    test=MappingProxyType({"test_batch": "40351d587109b95175f43aff81a1287e"}),
    meta=MappingProxyType({"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"}),
    labels="labels",
    classes="label_names",
)
CIFAR100 = Cifar(
    name="cifar100",
    title="CIFAR-100",
    archive=Archive(
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "eb9058c3a382ffc7106e4002c42a8d85",
    ),
    folder="cifar-100-python",
    train=MappingProxyType({"train": "16019d7e3df5f24257cddd939b257f8d"}),
    test=MappingProxyType({"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}),
    meta=MappingProxyType({"meta": "7973b15100ade9c7d40fb424638fde48"}),
    labels="fine_labels",
    classes="fine_label_names",
)
