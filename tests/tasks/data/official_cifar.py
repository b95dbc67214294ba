"""Writes CIFAR-10 and CIFAR-100 in their official formats, with a few images each."""

import hashlib
import struct
import tarfile
from dataclasses import replace

import numpy as np

from tasks.data.archives import Archive

NOBODY = "http://127.0.0.1:9/"  # nothing listens there


def dump(value):
    """Pickle as Python 2 and its NumPy did, whose text was bytes and whose flags were numbers."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value):
    if isinstance(value, str):
        return b"T" + struct.pack("<i", len(value)) + value.encode("latin1")
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_opcodes, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(_opcodes(x) for pair in value.items() for x in pair) + b"u"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    shape = b"(K\x01" + b"".join(map(_opcodes, value.shape)) + b"\x86"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ" + b"\xff" * 4 + b"J"
    text = _opcodes(value.tobytes().decode("latin1"))
    return empty + shape + dtype + b"\xff" * 4 + b"K\x00tb\x89" + text + b"tb"


def batch(first, labels, /, **columns):
    """Return a batch of images whose red, green and blue are first, first + 1, ... of each."""
    reds = np.arange(first, first + 3 * len(labels), dtype=np.uint8).reshape(-1, 3)
    data = np.repeat(reds, 32 * 32, axis=1)
    return {"batch_label": "a batch", **columns, "data": data, "filenames": ["x.png"] * len(labels)}


def contents_10():
    labels = [[3, 9], [0, 1], [2, 4], [5, 6], [7, 8]]
    files = {
        f"data_batch_{number}": batch(10 * number, x, labels=x)
        for number, x in enumerate(labels, 1)
    }
    files["test_batch"] = batch(200, [8, 0, 3], labels=[8, 0, 3])
    names = [f"name {number}" for number in range(10)]
    files["batches.meta"] = {"num_cases_per_batch": 2, "label_names": names, "num_vis": 3072}
    return files


def contents_100():
    fine, coarse = [99, 0, 42], [1, 2, 3]
    return {
        "train": batch(10, fine, coarse_labels=coarse, fine_labels=fine),
        "test": batch(200, [7], coarse_labels=[0], fine_labels=[7]),
        "meta": {
            "fine_label_names": [f"fine {number}" for number in range(100)],
            "coarse_label_names": [f"coarse {number}" for number in range(20)],
        },
    }


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def tiny(source, contents, place):
    """Write the official layout below ``place``, and return the source that expects its bytes."""
    folder = place / source.folder
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(dump(content))
    file = place / "packed" / source.archive.name
    file.parent.mkdir()
    with tarfile.open(file, "w:gz") as tar:
        tar.add(folder, source.folder)
    tables = {
        part: {name: md5(folder / name) for name in getattr(source, part)}
        for part in ("train", "test", "meta")
    }
    return replace(source, archive=Archive(NOBODY + file.name, md5(file)), **tables)
