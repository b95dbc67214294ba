import io
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mixmatch.checkpoints import load_state_, read_state
from mixmatch.errors import CheckpointError


class Net(nn.Module):
    """Two layers and a classifier, as small as it can be with a counter among its buffers."""

    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, classes)
        self.register_buffer("table", torch.ones(2), persistent=False)


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Net()


class Code:
    def __reduce__(self):
        return os.system, ("false",)


def state_of(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[x], second[x]) for x in first)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        OrderedDict,
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda state: {"model": state},
        lambda state: {"model_state_dict": state, "loss": 0.5},
        lambda state: {"net": {"state_dict": state}},
        lambda state: {"ema": state, "model": {}},
        lambda state: {f"module.{name}": x for name, x in state.items()},
        lambda state: {f"_orig_mod.module.{name}": x for name, x in state.items()},
        lambda state: {"state_dict": {f"model.{name}": x for name, x in state.items()}},
        lambda state: {
            "n_averaged": torch.tensor(4),
            **{f"module.{name}": x for name, x in state.items()},
        },
    ],
)
def test_understands_common_wrappers_and_prefixes(wrap, tmp_path):
    state = state_of(Net())
    torch.save(wrap(state), tmp_path / "net.pt")
    assert same(read_state(tmp_path / "net.pt"), state)


def test_averaged_weights_come_before_the_last_ones(tmp_path):
    last, averaged = state_of(Net()), state_of(Net())
    torch.save({"state_dict": last, "state_dict_ema": averaged}, tmp_path / "net.pth")
    assert same(read_state(tmp_path / "net.pth"), averaged)


@pytest.mark.parametrize("name", ["net.safetensors", "net.bin", "0123abc"])
def test_tells_safetensors_from_the_content(name, tmp_path):
    state = state_of(Net())
    save_file(state, tmp_path / name)
    assert same(read_state(tmp_path / name), state)


def test_reads_the_format_of_old_releases(tmp_path):
    state = state_of(Net())
    torch.save(state, tmp_path / "net.tar", _use_new_zipfile_serialization=False)
    assert same(read_state(tmp_path / "net.tar"), state)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"must be an existing file, got .*nowhere\.pt\.$"):
        read_state(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_never_runs_what_a_pickle_asks_for(zipped, tmp_path):
    torch.save({"a": Code()}, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"holds more than tensors \(posix.system\)"):
        read_state(tmp_path / "evil.pt")


def test_never_runs_a_bare_pickle(tmp_path):
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"a": Code()}))
    with pytest.raises(CheckpointError, match=r"evil\.pt (holds more than|is damaged)"):
        read_state(tmp_path / "evil.pt")


def test_a_whole_module_is_refused_with_the_way_out(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(CheckpointError, match=r"Save model\.state_dict\(\) alone"):
        read_state(tmp_path / "module.pt")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_damaged(kind, share, tmp_path):
    path = tmp_path / "net"
    if kind == "safetensors":
        save_file(state_of(Net()), path)
    else:
        torch.save(state_of(Net()), path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"net is (a )?damaged"):
        read_state(path)


def test_a_flipped_bit_of_a_weight_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "net.pt"
    weight = torch.full((100,), 1.5)
    torch.save({"weight": weight}, path)
    content = bytearray(path.read_bytes())
    content[content.index(weight.numpy().tobytes()) + 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged: its part net/data/0 differs from its"):
        read_state(path)


def test_a_checkpoint_that_inflates_is_refused_before_it_is_read(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "stored.pt")
    with (
        zipfile.ZipFile(tmp_path / "stored.pt") as stored,
        zipfile.ZipFile(tmp_path / "net.pt", "w", zipfile.ZIP_DEFLATED) as deflated,
    ):
        for part in stored.namelist():
            deflated.writestr(part, stored.read(part))
    monkeypatch.delattr(zipfile.ZipFile, "open")
    with pytest.raises(CheckpointError, match=r"stored/data\.pkl is compressed or encrypted\.$"):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize(
    "content", [b"hello, this is no checkpoint", b"\x80\x02garbage", b"PK\x03"]
)
def test_bytes_of_no_known_kind_are_damaged(content, tmp_path):
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"net\.pt is damaged, or neither a safetensors file"):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], r"must hold a state dict \(names and tensors\), got a list"),
        ({"weights": {"a": torch.ones(2)}}, r"its entry 'weights' is a dict; known wrappers: "),
        ({0: torch.ones(2)}, r"its entry 0 is a Tensor"),
        ({"state_dict": {}}, r"holds no tensors"),
    ],
)
def test_says_what_is_there_instead_of_a_state(content, message, tmp_path):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=message):
        read_state(tmp_path / "net.pt")


def load(model, state, *, allow_new_head=False):
    return load_state_(model, state, allow_new_head=allow_new_head, source="net.pt")


def test_loads_all_tensors():
    model, other = Net(), Net()
    assert load(model, other.state_dict()) == ()
    assert same(model.state_dict(), other.state_dict())


def test_a_model_with_a_prefix_of_its_own_takes_names_with_and_without_it():
    for state in (Wrapper().state_dict(), Net().state_dict()):
        model = Wrapper()
        load(model, state)
        assert torch.equal(model.model.fc.weight, list(state.values())[-2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_converts_to_the_dtype_of_the_model(dtype):
    model, other = Net(), Net()
    load(
        model,
        {
            name: x.to(dtype) if x.is_floating_point() else x
            for name, x in other.state_dict().items()
        },
    )
    assert model.fc.weight.dtype == torch.float32
    assert torch.equal(model.fc.weight, other.fc.weight.to(dtype).float())


def test_a_missing_counter_keeps_its_value():
    model, state = Net(), state_of(Net())
    del state["norm.num_batches_tracked"]
    model.norm.num_batches_tracked += 7
    load(model, state)
    assert model.norm.num_batches_tracked == 7


def test_buffers_that_the_model_computes_itself_may_be_present():
    model = Net()
    load(model, {**state_of(Net()), "table": torch.zeros(5)})
    assert torch.equal(model.table, torch.ones(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv.weight": None}, r"from net\.pt do not fit: conv\.weight is missing\.$"),
        ({"extra.weight": torch.ones(1)}, r"do not fit: extra\.weight is unexpected\.$"),
        (
            {"conv.bias": torch.ones(5), "norm.weight": None},
            r"conv\.bias must have shape \[2\], got \[5\], and 1 more tensors do not fit\.$",
        ),
        (
            {"conv.bias": torch.ones(2, dtype=torch.int8)},
            r"conv\.bias must be torch\.float32, got torch\.int8",
        ),
        ({"conv.bias": torch.ones(2).to_sparse()}, r"conv\.bias must be dense, got a sparse"),
        ({"conv.bias": torch.tensor([1.0, torch.nan])}, r"hold NaN or infinity in conv\.bias\.$"),
        (
            {"conv.bias": torch.tensor([1.0, 1e300], dtype=torch.float64)},
            r"hold NaN or infinity in conv\.bias\.$",
        ),
        (
            {"fc.weight": torch.ones(9, 2), "fc.bias": torch.ones(9)},
            r"fc\.weight must have shape \[3, 2\], got \[9, 2\], .*\. allow_new_head accepts",
        ),
    ],
)
def test_names_the_first_tensor_that_does_not_fit_and_loads_nothing(change, message):
    model = Net()
    before = state_of(model)
    state = {name: x for name, x in {**state_of(Net()), **change}.items() if x is not None}
    with pytest.raises(CheckpointError, match=message):
        load(model, state)
    assert same(model.state_dict(), before)


def test_another_architecture_is_refused_even_with_a_new_head():
    with pytest.raises(CheckpointError, match=r"conv\.weight is missing, and 7 more tensors"):
        load(Net(), nn.Sequential(nn.Linear(2, 2)).state_dict(), allow_new_head=True)


@pytest.mark.parametrize("head", [{"fc.weight": torch.ones(9, 2), "fc.bias": torch.ones(9)}, {}])
def test_a_new_head_is_left_as_the_model_has_it(head):
    model, state = Net(), state_of(Net())
    before = model.fc.weight.clone()
    del state["fc.weight"], state["fc.bias"]
    replaced = load(model, {**state, **head}, allow_new_head=True)
    assert replaced == ("fc.weight", "fc.bias")
    assert torch.equal(model.fc.weight, before)
    assert torch.equal(model.conv.weight, state["conv.weight"])


def test_a_head_that_fits_is_loaded_even_if_it_might_differ():
    model, other = Net(), Net()
    assert load(model, other.state_dict(), allow_new_head=True) == ()
    assert torch.equal(model.fc.weight, other.fc.weight)


def test_heads_are_those_that_timm_states():
    model = Net()
    model.pretrained_cfg = {"classifier": ("fc", "conv")}
    state = {name: x for name, x in Net().state_dict().items() if name.startswith("norm")}
    assert load(model, state, allow_new_head=True) == (
        "conv.weight",
        "conv.bias",
        "fc.weight",
        "fc.bias",
    )


def test_nan_in_a_head_that_is_replaced_does_not_matter():
    state = {**Net().state_dict(), "fc.weight": torch.full((9, 2), torch.nan)}
    assert load(Net(), state, allow_new_head=True) == ("fc.weight", "fc.bias")


def test_the_content_of_a_file_fits_the_network_it_came_from(tmp_path):
    model, other = Net(), Net()
    buffer = io.BytesIO()
    torch.save({"state_dict": nn.DataParallel(other).state_dict()}, buffer)
    (tmp_path / "net.pt").write_bytes(buffer.getvalue())
    load(model, read_state(tmp_path / "net.pt"))
    assert same(model.state_dict(), other.state_dict())
