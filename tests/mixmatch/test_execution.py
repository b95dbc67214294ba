import pytest
import torch
from torch import nn

from mixmatch.errors import ConfigError
from mixmatch.execution import (
    autocast_of,
    computing,
    fast_convolutions,
    resolve_execution,
    training_context,
    uncompiled,
)


def test_the_processor_takes_products_on_small_images_whatever_its_precision():
    for precision in ("float32", "bfloat16"):
        execution = resolve_execution(device="cpu", precision=precision, threads=1)
        assert (execution.small_convolutions, execution.precision) == ("products", precision)


def test_two_resolutions_on_one_machine_are_equal():
    first, second = (resolve_execution(device="auto", precision="auto", threads=1) for _ in "ab")
    assert first == second


def test_automatic_precision_follows_from_the_instruction_set():
    capabilities = torch.cpu.get_capabilities()
    multiplies = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    execution = resolve_execution(device="cpu", precision="auto", threads=1)
    assert execution.precision == ("bfloat16" if multiplies else "float32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="cuda can be asked for where there is one")
def test_refuses_a_device_that_is_not_there():
    with pytest.raises(ConfigError, match=r"engine.device must be auto or cpu .* got cuda"):
        resolve_execution(device="cuda", precision="auto", threads=1)


def test_threads_are_set_for_the_body_only():
    before = torch.get_num_threads()
    execution = resolve_execution(device="cpu", precision="float32", threads=1)
    with computing(execution) as device:
        assert (torch.get_num_threads(), device.type) == (1, "cpu")
    assert torch.get_num_threads() == before


def test_products_are_taken_only_where_the_execution_says_so():
    model = nn.Sequential(nn.Conv2d(1, 1, 1))
    execution = resolve_execution(device="cpu", precision="float32", threads=1)
    with fast_convolutions(model, execution):
        assert "forward" in vars(model[0])
    native = execution.model_copy(update={"small_convolutions": "native"})
    with fast_convolutions(model, native):
        assert "forward" not in vars(model[0])


def test_bfloat16_runs_under_autocast_and_float32_without():
    execution = resolve_execution(device="cpu", precision="bfloat16", threads=1)
    with autocast_of(execution)():
        assert torch.is_autocast_enabled("cpu")
    exact = execution.model_copy(update={"precision": "float32"})
    with autocast_of(exact)():
        assert not torch.is_autocast_enabled("cpu")


def test_a_compiled_execution_compiles_the_network_for_its_training_only():
    model = nn.Sequential(nn.Linear(2, 2))
    execution = resolve_execution(device="cpu", precision="float32", threads=1, compiled=True)
    with training_context(model, execution):
        assert model._compiled_call_impl is not None
    assert model._compiled_call_impl is None
    plain = execution.model_copy(update={"compiled": False})
    with training_context(model, plain):
        assert model._compiled_call_impl is None


def test_within_a_training_that_is_compiled_an_evaluation_is_not():
    model = nn.Sequential(nn.Linear(2, 2))
    execution = resolve_execution(device="cpu", precision="float32", threads=1, compiled=True)
    with training_context(model, execution):
        with uncompiled(model):
            assert model._compiled_call_impl is None
        assert model._compiled_call_impl is not None


def test_an_execution_that_is_not_compiled_keeps_the_key_that_it_had_before():
    plain = resolve_execution(device="cpu", precision="float32", threads=1)
    compiled = plain.model_copy(update={"compiled": True})
    assert "compiled" not in plain.model_dump(mode="json")
    assert compiled.model_dump(mode="json")["compiled"] is True
    assert type(plain).model_validate(plain.model_dump(mode="json")) == plain
