"""Every architecture that the product promises, through the whole flow, at its full size."""

import mlflow
import pytest

from flows.family import run_family_flow
from flows.inputs import locate_inputs
from flows.local_workers import local_workers
from flows.watch import NullWatch
from mixmatch.config import parse_run_config
from mixmatch.layers import prunable_layers
from mixmatch.masks import count_nonzero
from tasks.tracking import connect

pytestmark = pytest.mark.service

# The architecture, and how many parameters it has for ten classes at 32x32.
ARCHITECTURES = {
    "vgg11_cifar": 28_149_514,
    "resnet18": 11_181_642,
    "levit_384": 37_596_088,
    "swin_tiny_patch4_window7_224": 27_506_020,
    "vit_tiny_patch16_224": 5_489_482,
    "deit_tiny_patch16_224": 5_489_482,
    "convnext_atto": 3_377_730,
    "mobilenetv3_small_100": 1_528_106,
    "efficientnet_b0": 4_020_358,
    "regnetx_002": 2_319_482,
    "tests.flows.own_network:build": 86_026,
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_whole_compression_registers_exactly_the_zeros_that_it_claims(server_site, architecture):
    config = parse_run_config(
        {
            "data": {
                "name": "digits",
                "image_size": 32,
                "train_limit": 64,
                "validation_fraction": 0.05,
                "test_fraction": 0.05,
            },
            "model": {"architecture": architecture, "train": {"epochs": 1, "batch_size": 32}},
            "calibration_fraction": 0.25,
            "calibration_batch": 8,
            "ranges": {"baselines": ["GraSP"]},  # the only one with a Hessian
            "strategies": ["aggressive"],
            "fine_tune": {"max_epochs": 0, "batch_norm_images": 32},
            "engine": {"workers": 1},
            "latency": "none",  # of large networks it takes minutes
        },
        architecture,
    )
    inputs = locate_inputs(config, server_site)
    with local_workers(server_site) as workers:
        summary = run_family_flow(config, server_site, inputs, NullWatch(), workers)
    assert summary.base.num_parameters == ARCHITECTURES[architecture]
    (row,) = summary.results
    client = connect(server_site)
    version = client.get_model_version(config.registered_name, str(row.model_version))
    served = mlflow.pyfunc.load_model(version.source).unwrap_python_model()
    layers = prunable_layers(served.model)
    num_nonzero = sum(count_nonzero(served.model, layers).values())
    num_weights = sum(layer.num_weights for layer in layers)
    assert num_nonzero == row.num_nonzero
    assert row.sparsity == (num_weights - num_nonzero) / num_weights
    assert float(version.tags["sparsity"]) == row.sparsity
    assert row.sparsity > 0.3
