import json
import struct
import zipfile

import pytest
import torch
from torch import nn

from mixmatch.errors import CheckpointError
from mixmatch.exported import read_exported

LIST = "data/weights/model_weights_config.json"
PROGRAM = "models/model.json"


class Net(nn.Module):
    """As small as it can be with every kind of parameter and buffer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, 2)
        self.tied = nn.Linear(2, 2)
        self.tied.weight = self.fc.weight
        self.turned = nn.Parameter(torch.arange(6.0).view(2, 3).t())
        self.brief = nn.Parameter(torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
        self.register_buffer("row", self.fc.weight.detach()[1])
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("nothing", torch.zeros(0, 3))
        self.register_buffer("table", torch.ones(2), persistent=False)

    def forward(self, images):
        features = self.tied(self.fc(self.norm(self.conv(images)).mean((2, 3))))
        return (features + self.brief.float() + self.table) @ self.turned.t()


@pytest.fixture(scope="module")
def network():
    net = Net()
    net(torch.randn(4, 1, 5, 5))  # statistics and a counter that are not those of the start
    return net.eval()


@pytest.fixture(scope="module")
def archive(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.pt2"
    program = torch.export.export(network, (torch.zeros(2, 1, 5, 5),))
    with pytest.warns(UserWarning, match="No complete tensor found"):  # of the transposed one
        torch.export.save(program, path)
    return path


@pytest.fixture
def forge(archive, tmp_path):
    """Write the archive with some parts changed, by their name without the root."""

    def write(changes, compression=zipfile.ZIP_STORED):
        path = tmp_path / "forged.pt2"
        with zipfile.ZipFile(archive) as honest, zipfile.ZipFile(path, "w", compression) as forged:
            for name in honest.namelist():
                content, part = honest.read(name), name.removeprefix("model/")
                content = changes.get(part, lambda same: same)(content)
                if content is not None:
                    forged.writestr(name, content)
        return path

    return write


@pytest.fixture
def relist(forge):
    """Write the archive with another list of weights."""

    def write(change):
        def changed(content):
            listed = json.loads(content)
            change(listed["config"])
            return json.dumps(listed)

        return forge({LIST: changed})

    return write


def read(path):
    return read_exported(path, source="net")


def test_every_parameter_and_persistent_buffer_is_read_bit_for_bit(network, archive):
    expected, found = network.state_dict(), read(archive)
    assert set(found) == set(expected)
    assert {name: x.dtype for name, x in found.items()} == {n: x.dtype for n, x in expected.items()}
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert found["norm.num_batches_tracked"].item() == 1


def test_the_state_is_the_one_that_pytorch_itself_reads(archive):
    expected, found = torch.export.load(archive).state_dict, read(archive)
    assert {n: x.stride() for n, x in found.items()} == {n: x.stride() for n, x in expected.items()}
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_names_that_share_one_tensor_share_its_memory(archive):
    found = read(archive)
    assert found["fc.weight"].data_ptr() == found["tied.weight"].data_ptr()
    assert found["fc.weight"][1].data_ptr() == found["row"].data_ptr()


DTYPES = [
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool, torch.bfloat16),
    *(torch.float16, torch.float32, torch.float64, torch.complex64),
    *(torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
]


def test_every_dtype_that_safetensors_holds_is_read(tmp_path):
    network, values = nn.ReLU(), torch.arange(16, dtype=torch.uint8)
    for at, dtype in enumerate(DTYPES):
        kept = values % 2 == 0 if dtype is torch.bool else values.view(dtype)
        network.register_buffer(f"buffer{at}", kept)
    torch.export.save(torch.export.export(network, (torch.zeros(1),)), tmp_path / "model.pt2")
    found = read(tmp_path / "model.pt2")
    assert {x.dtype for x in found.values()} == set(DTYPES)
    for name, expected in network.state_dict().items():
        assert found[name].dtype == expected.dtype
        assert torch.equal(found[name].view(torch.uint8), expected.view(torch.uint8))


def payload(path):
    """Return what PyTorch evaluates where it expects a size, and what that would write."""
    return {"as_expr": {"expr_str": f"__import__('os').mkdir({str(path)!r})", "hint": None}}


def test_an_expression_in_the_program_is_not_evaluated(network, forge, tmp_path):
    def with_payload(content):
        program = json.loads(content)
        for meta in program["graph_module"]["graph"]["tensor_values"].values():
            meta["sizes"] = [payload(tmp_path / "created")]
        return json.dumps(program)

    found = read(forge({PROGRAM: with_payload}))
    assert not (tmp_path / "created").exists()
    assert torch.equal(found["conv.weight"], network.conv.weight)


@pytest.mark.parametrize("field", ["sizes", "strides", "storage_offset"])
def test_an_expression_in_the_list_of_weights_is_refused_unevaluated(field, relist, tmp_path):
    def change(config):
        evil = payload(tmp_path / "created")
        config["conv.bias"]["tensor_meta"][field] = evil if field == "storage_offset" else [evil]

    with pytest.raises(CheckpointError, match=rf"^net must list its weights .*conv\.bias.*{field}"):
        read(relist(change))
    assert not (tmp_path / "created").exists()


def sizes(*values):
    return {"sizes": [{"as_int": x} for x in values]}


def strides(*values):
    return {"strides": [{"as_int": x} for x in values]}


@pytest.mark.parametrize(
    "change",
    [
        sizes(3),
        sizes(),
        sizes(2**62),
        sizes(10**9) | strides(0),
        strides(2),
        strides(2**62),
        strides(1, 1),
        {"storage_offset": {"as_int": 1}},
        {"storage_offset": {"as_int": 2**63 - 1}},
        {"dtype": 8},
        sizes(0, 2**40) | strides(1, 1),
        sizes(2**62, 2**62, 0) | strides(1, 1, 1),
    ],
)
def test_a_tensor_beyond_its_record_is_refused(change, relist):
    path = relist(lambda config: config["conv.bias"]["tensor_meta"].update(change))
    message = r"^'conv\.bias' of net must lie within its record of [12] entries, got sizes .*\.$"
    with pytest.raises(CheckpointError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (sizes(-1), "greater than or equal to 0"),
        (sizes(2**63), "less than 9223372036854775808"),
        (sizes(2.0), "valid integer"),
        (sizes(True), "valid integer"),
        (sizes("2"), "valid integer"),
        (sizes(*[1] * 17), "at most 16 items"),
        (strides(-1), "greater than or equal to 0"),
        ({"storage_offset": {"as_int": -1}}, "greater than or equal to 0"),
        ({"storage_offset": {}}, "Field required"),
        ({"layout": 1}, "Input should be 7"),
        ({"zero_points": 3}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_plain_description_of_a_tensor_is_refused(change, message, relist):
    path = relist(lambda config: config["conv.bias"]["tensor_meta"].update(change))
    with pytest.raises(CheckpointError, match=rf"'config\.conv\.bias\..*' is refused: .*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_pickle": True}, "Input should be False"),
        ({"path_name": "../sample_inputs/model.pt"}, "should match pattern"),
        ({"path_name": "weight_1\n"}, "should match pattern"),
        ({"tensor_meta": None}, "Input should be an object"),
    ],
)
def test_what_is_no_plain_record_is_refused(change, message, relist):
    path = relist(lambda config: config["conv.bias"].update(change))
    with pytest.raises(CheckpointError, match=rf"'config\.conv\.bias\..*' is refused: .*{message}"):
        read(path)


@pytest.mark.parametrize("dtype", [0, 9, 33, 99])
def test_a_dtype_that_no_weights_file_holds_is_refused(dtype, relist):
    path = relist(lambda config: config["conv.bias"]["tensor_meta"].update(dtype=dtype))
    with pytest.raises(CheckpointError, match=rf"safetensors holds, got number {dtype} of PyTorch"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data/weights/weight_0": lambda _: None}, "must hold the part 'model/data/weights/weigh"),
        ({"data/weights/weight_0": lambda x: x[:-1]}, r"must lie within its record of \d+ entries"),
        ({LIST: lambda _: None}, r"weights of one program .*, found 0 such lists; save it again"),
        ({LIST: lambda _: b"[" * 10**5}, "'JSON' is refused: Invalid JSON"),
        ({LIST: lambda _: b" " * (2**24 + 1)}, r"must have at most 16777216 bytes, got 16777217\."),
        ({"byteorder": lambda _: b"big"}, r"in this machine's byte order, little, got 'big'\."),
        ({"byteorder": lambda _: b"\xff"}, "must hold an intact pt2 archive"),
        ({"byteorder": lambda _: None}, "must hold the part 'model/byteorder'"),
    ],
)
def test_a_missing_or_damaged_part_is_named(changes, message, forge):
    with pytest.raises(CheckpointError, match=message):
        read(forge(changes))


def test_a_compressed_archive_is_refused(forge):
    with pytest.raises(CheckpointError, match=r"^net must hold its parts as PyTorch stores them"):
        read(forge({}, zipfile.ZIP_DEFLATED))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"^net must hold an intact pt2 archive: File is not"):
        read(tmp_path / "model.pt2")


@pytest.fixture
def tiny(tmp_path):
    """Write by hand the least that can be read: one record, under some names."""

    def write(*names, num_entries=1):
        one, count = {"as_int": 1}, {"as_int": num_entries}
        meta = {"dtype": 7, "sizes": [count], "requires_grad": True, "strides": [one], "layout": 7}
        meta |= {"device": {"type": "cpu", "index": None}, "storage_offset": {"as_int": 0}}
        entry = {"path_name": "weight_0", "is_param": True, "use_pickle": False}
        config = {name: entry | {"tensor_meta": meta} for name in names}
        path = tmp_path / "tiny.pt2"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data/weights/weight_0", struct.pack("<f", 1.5) * num_entries)
            archive.writestr(f"a/{LIST}", json.dumps({"config": config}))
            archive.writestr("a/byteorder", "little")
        return path

    return write


def test_one_record_may_have_a_dozen_names_but_not_any_number(tiny):
    assert len(read(tiny(*"abcdefghijkl", num_entries=10_000))) == 12
    with pytest.raises(CheckpointError, match=r"at most \d+ bytes, 16 times those of its archive"):
        read(tiny(*"abcdefghijklmnopqrstuvwxyz", num_entries=10_000))


def test_every_changed_or_missing_byte_is_refused_with_a_sentence_or_changes_nothing(tiny):
    path = tiny("w")
    content, outcomes = path.read_bytes(), set()
    for at in range(len(content)):
        for rest in (b"", *(bytes([content[at] ^ bit]) + content[at + 1 :] for bit in (1, 128))):
            path.write_bytes(content[:at] + rest)
            try:
                outcomes.add(str([x.tolist() for x in read(path).values()]))
            except CheckpointError as error:
                outcomes.add(str(error)[-1])
    assert outcomes == {"[[1.5]]", "."}
