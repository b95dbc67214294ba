"""Wrong data, weights and networks, which only the work finds out; the last line is the sentence.

Exit code 2, nothing on stdout, no traceback, and in the workspace nothing but finished steps. To
add a case: a line in ``CASES``; ``{}`` in a sentence stands for the test's own folder.
"""

import gzip
import json
import os
import pickle
import re
from dataclasses import dataclass, field

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from mixmatch.packed import save_packed
from mixmatch.records import ModelSpec

RUN_FILE = """
data: {name: digits, image_size: 16, train_limit: 64}
model: {architecture: test_resnet, train: {epochs: 1}}
ranges: {baselines: [MAG]}
"""
MISSING = ("model.checkpoint=nothing.pt",)
DATA = ("fetch",)
ALL_BEFORE_THE_PLAN = ("base", "fetch", "sensitivity")
NO_SUCH_FILE = (
    "model.checkpoint must be an existing .safetensors, .pt or .pth file, here or at "
    "s3://BUCKET/KEY, models:/NAME@alias, or timm, got 'nothing.pt', and there is no such file."
)


class Code:
    """Leaves a file behind if anybody unpickles it."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def write_images(folder):
    for shade, name in ((60, "cat"), (180, "dog")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(8):
            image = Image.new("L", (8, 8), shade + number)
            image.save(folder / "images" / name / f"{number}.png")


def empty_class(folder):
    write_images(folder)
    (folder / "images" / "fox").mkdir()


def cut_image(folder):
    write_images(folder)
    file = folder / "images" / "dog" / "7.png"
    file.write_bytes(file.read_bytes()[:-20])


def cut_gzip(folder):
    (folder / "fashion").mkdir()
    packed = gzip.compress(bytes(1000))
    (folder / "fashion" / "train-images-idx3-ubyte.gz").write_bytes(packed[:-10])


def resnet(num_classes=10):
    return timm.create_model("test_resnet", num_classes=num_classes).state_dict()


def other_architecture(folder):
    vit = timm.create_model("test_vit", num_classes=10, img_size=16)
    save_file(vit.state_dict(), folder / "net.safetensors")


def cut_weights(folder):
    save_file(resnet(), folder / "net.safetensors")
    cut(folder / "net.safetensors")


def cut_checkpoint(folder):
    torch.save(resnet(), folder / "net.pt")
    cut(folder / "net.pt")


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def nan_weights(folder):
    weights = resnet()
    weights["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    save_file(weights, folder / "net.safetensors")


def packed(folder):
    spec = ModelSpec(
        architecture="resnet18",
        arguments={},
        num_classes=2,
        image_shape=(8, 8, 1),
        mean=(0.5,),
        std=(0.25,),
        classes=("cat", "dog"),
    )
    save_packed(folder / "net.packed", torch.nn.Sequential(torch.nn.Linear(4, 2)), spec)


def cut_packed(folder):
    packed(folder)
    file = folder / "net.packed"
    file.write_bytes(file.read_bytes()[:-4])


def packed_by_a_newer_mixmatch(folder):
    packed(folder)
    content = (folder / "net.packed").read_bytes()
    assert content.count(b'"version":"2"') == 1
    (folder / "net.packed").write_bytes(content.replace(b'"version":"2"', b'"version":"9"'))


@dataclass
class Case:
    """What is wrong, and what the user reads last.

    Attributes:
        name: what is wrong.
        sentence: the last line of stderr.
        command: the command that is called.
        overrides: values of --set.
        arguments: all arguments of a command without a run file.
        done: steps that were finished before, by name, and are kept.
        make: writes what the case needs into the test's folder.
    """

    name: str
    sentence: str
    command: str = "base"
    overrides: tuple = ()
    arguments: tuple = ()
    done: tuple = ()
    make: object = field(default=lambda folder: None)


def checkpoint(file):
    return {"overrides": (f"model.checkpoint={file}",), "done": DATA}


IMAGES = {"command": "fetch", "overrides": ("data.name=image_folder", "data.root=images")}
FASHION = {"command": "fetch", "overrides": ("data.name=fashion_mnist", "data.root=fashion")}

CASES = [
    Case(
        "a missing folder of images",
        "data.root must be a folder of class folders, but {}/images is not there.",
        **IMAGES,
    ),
    Case(
        "a missing folder of Fashion-MNIST",
        "data.root must be a folder with the four .gz files, got '{}/fashion'.",
        **FASHION,
    ),
    Case(
        "an empty class folder",
        "data.root must hold an image in every class folder, but {}/images/fox has none; known "
        "types: .bmp .jpeg .jpg .pgm .png .ppm .tif .tiff .webp.",
        make=empty_class,
        **IMAGES,
    ),
    Case(
        "a truncated image",
        "{}/images/dog/7.png must be an image that can be decoded, but: image file is truncated; "
        "remove or replace it.",
        make=cut_image,
        **IMAGES,
    ),
    Case(
        "a truncated .gz",
        "{}/fashion/train-images-idx3-ubyte.gz must be a complete gzip file of Fashion-MNIST, but "
        "it is truncated or corrupt (Compressed file ended before the end-of-stream marker was "
        "reached); get it again.",
        **FASHION,
        make=cut_gzip,
    ),
    Case(
        "a store that is a file",
        "store must be a folder that can be written, got 'run.yaml' (File exists).",
        command="fetch",
        overrides=("store=run.yaml",),
    ),
    Case("a missing checkpoint", NO_SUCH_FILE, overrides=MISSING),
    Case(
        "a missing checkpoint of a whole run",
        NO_SUCH_FILE,
        command="run",
        overrides=MISSING,
    ),
    Case(
        "a checkpoint of another architecture",
        "weights from net.safetensors do not fit: conv1.0.weight is missing, and 156 more tensors "
        "do not fit.",
        make=other_architecture,
        **checkpoint("net.safetensors"),
    ),
    Case(
        "a checkpoint for other classes",
        "weights from net.safetensors do not fit: fc.weight must have shape [10, 96], got [7, 96], "
        "and 1 more tensors do not fit. allow_new_head accepts another classifier.",
        make=lambda folder: save_file(resnet(num_classes=7), folder / "net.safetensors"),
        **checkpoint("net.safetensors"),
    ),
    Case(
        "a truncated safetensors file",
        "{}/net.safetensors is a damaged safetensors file: Error while deserializing header: "
        "incomplete metadata, file not fully covered.",
        make=cut_weights,
        **checkpoint("net.safetensors"),
    ),
    Case(
        "a truncated PyTorch checkpoint",
        "{}/net.pt is damaged, or neither a safetensors file nor a PyTorch checkpoint.",
        make=cut_checkpoint,
        **checkpoint("net.pt"),
    ),
    Case(
        "a checkpoint with code",
        "{}/net.pt holds more than tensors (posix.system), and reading that would run code. Save "
        "model.state_dict() alone, or convert it to safetensors.",
        make=lambda folder: torch.save({"state_dict": Code()}, folder / "net.pt"),
        **checkpoint("net.pt"),
    ),
    Case(
        "a bare pickle with code",
        "{}/net.pt is damaged, or neither a safetensors file nor a PyTorch checkpoint.",
        make=lambda folder: (folder / "net.pt").write_bytes(pickle.dumps({"state_dict": Code()})),
        **checkpoint("net.pt"),
    ),
    Case(
        "weights that are NaN",
        "weights from net.safetensors hold NaN or infinity in layer1.0.conv1.weight.",
        make=nan_weights,
        **checkpoint("net.safetensors"),
    ),
    Case(
        "a registered model that does not exist",
        "models:/nothing@best must exist, but nothing is tracked in {}/.mixmatch yet.",
        overrides=("model.checkpoint=models:/nothing@best",),
    ),
    Case(
        "an unknown architecture",
        "timm knows no architecture 'resnet81'; did you mean resnet18 or resnet61q or resnet51q?",
        overrides=("model.architecture=resnet81",),
        done=DATA,
    ),
    Case(
        "an unknown architecture of a whole run",
        "timm knows no architecture 'resnet81'; did you mean resnet18 or resnet61q or resnet51q?",
        command="run",
        overrides=("model.architecture=resnet81",),
    ),
    Case(
        "a checkpoint of another architecture for a whole run",
        "weights from net.safetensors do not fit: conv1.0.weight is missing, and 154 more tensors "
        "do not fit.",
        command="run",
        make=other_architecture,
        overrides=("model.checkpoint=net.safetensors",),
    ),
    Case(
        "an image size that the architecture refuses",
        "test_vit does not take 30 x 30 x 3 images: Input height (30) should be divisible by patch "
        "size (16).",
        overrides=("model.architecture=test_vit", "data.image_size=30"),
        done=DATA,
    ),
    Case(
        "a normalization for other channels",
        "data.channels must be 3 with the normalization of timm:test_resnet, got 1; set "
        "data.normalization otherwise.",
        overrides=("model.checkpoint=timm", "data.channels=1"),
        done=DATA,
    ),
    Case(
        "a pattern that matches no layer",
        "ranges.layers must hold patterns of prunable layers, got 'conv99*', which matches none of "
        "16; the first are conv1.0, conv1.3, conv1.6, layer1.0.conv1, layer1.0.conv2.",
        command="plan",
        overrides=('ranges.layers={"conv99*": [0, 0.5]}',),
        done=ALL_BEFORE_THE_PLAN,
    ),
    Case(
        "a model that is not registered",
        "There is no registered model 'nothing@best'; known: none yet.",
        command="show",
        arguments=("nothing@best",),
    ),
    Case(
        "a model that is not registered, to export",
        "The registered model nothing@best must exist, but nothing is tracked in {}/.mixmatch yet.",
        command="export",
        arguments=("nothing@best", "--format", "packed", "--to", "net.packed"),
    ),
    Case(
        "an unknown format to export",
        "--format must be packed or onnx or onnx-int8 or torch, got 'tflite'.",
        command="export",
        arguments=("nothing", "--format", "tflite", "--to", "net.tflite"),
    ),
    Case(
        "unknown values to export",
        "--values must be float32 or bfloat16 or float16 or int8, got 'int4'.",
        command="export",
        arguments=("nothing", "--format", "packed", "--values", "int4", "--to", "net.packed"),
    ),
    Case(
        "values to export that are not for the format",
        "--values must be left out with --format onnx, got 'int8'; it is for packed.",
        command="export",
        arguments=("nothing", "--format", "onnx", "--values", "int8", "--to", "net.onnx"),
    ),
    Case(
        "ONNX to a file of another suffix",
        "--to must end in .onnx with --format onnx-int8, got net.pb.",
        command="export",
        arguments=("nothing", "--format", "onnx-int8", "--to", "net.pb"),
    ),
    Case(
        "a packed file that is not there",
        "a packed network must be an existing file, got net.packed.",
        command="inspect",
        arguments=("net.packed",),
    ),
    Case(
        "a truncated packed file",
        "net.packed is damaged, or no packed network: its blocks must end with the file, bytes "
        "missing: 4.",
        command="inspect",
        arguments=("net.packed",),
        make=cut_packed,
    ),
    Case(
        "a packed file of a newer version",
        "net.packed cannot be read as a packed network: its version must be 1 or 2, got '9'; a "
        "newer mixmatch may read it.",
        command="inspect",
        arguments=("net.packed",),
        make=packed_by_a_newer_mixmatch,
    ),
    Case(
        "plain weights to inspect",
        "net.safetensors cannot be read as a packed network: its format must be mixmatch-packed, "
        "got None; it may hold plain weights.",
        command="inspect",
        arguments=("net.safetensors",),
        make=lambda folder: save_file(resnet(), folder / "net.safetensors"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_is_wrong_ends_in_one_sentence(mixmatch, tmp_path, case):
    result = call(mixmatch, tmp_path, case)
    lines = result.stderr.splitlines()
    assert lines[-1] == case.sentence.replace("{}", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    stage = re.compile(r".+ \.\.\.|\w+ (done in|failed after) \d+\.\d s")
    assert all(stage.fullmatch(line) for line in lines[:-1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_on_a_machine_without_it_ends_in_one_sentence(mixmatch, tmp_path):
    case = Case("", "", overrides=("engine.device=cuda",), done=DATA)
    result = call(mixmatch, tmp_path, case)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "engine.device must be auto or cpu on a machine without CUDA, got cuda."
    )


def call(mixmatch, folder, case):
    """Call the case's command, and check that it leaves only steps that were finished."""
    (folder / "run.yaml").write_text(RUN_FILE)
    case.make(folder)
    before = {file for file in folder.rglob("*") if file.is_file()}
    sets = [part for override in case.overrides for part in ("--set", override)]
    result = mixmatch(case.command, *(case.arguments or ("run.yaml", *sets)))
    left = {file for file in folder.rglob("*") if file.is_file()} - before
    left = {file for file in left if file.parent.name != "locks"}  # empty, and there to be taken
    records = [file for file in left if file.suffix == ".json"]
    assert tuple(sorted(file.parent.name for file in records)) == case.done
    kept = {json.loads(file.read_text())["record"]["artifact"]["digest"] for file in records}
    assert {file.name for file in left if file not in records} == kept
    return result
