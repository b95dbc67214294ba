import json
import sys
from types import ModuleType

import pytest

from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    DataRecord,
    LayerRecord,
    ModelSpec,
    PlanRecord,
    StrategyRecord,
)

RIGHT = Accuracy(
    num_correct=97, num_images=100, value=0.97, low=0.91, high=0.99, loss=0.1, correct_bits=""
)
DATA = DataRecord(
    name="digits",
    source="embedded",
    source_digest="s" * 64,
    artifact=Artifact(digest="d" * 64, size_bytes=10),
    num_images={"train": 1220, "calibration": 64, "validation": 143, "test": 370},
    classes=("0", "1"),
    image_shape=(32, 32, 3),
    mean=(0.25, 0.25, 0.25),
    std=(0.5, 0.5, 0.5),
    augmentation="crop",
)
BASE = BaseRecord(
    spec=ModelSpec(
        architecture="resnet18",
        arguments={},
        num_classes=2,
        image_shape=(32, 32, 3),
        mean=(0.125, 0.125, 0.125),
        std=(0.5, 0.5, 0.5),
        classes=("0", "1"),
    ),
    source="trained",
    artifact=Artifact(digest="b" * 64, size_bytes=4400),
    num_parameters=1100,
    num_weights=1000,
    validation=RIGHT,
    test=RIGHT,
    warnings=(),
    seconds=1.0,
)
PLAN = PlanRecord(
    layers=(
        LayerRecord(
            name="fc", role="classifier", num_weights=1000, observed=(0.1, 0.9), range=(0.1, 0.9)
        ),
    ),
    strategies=(
        StrategyRecord(
            name="balanced", digest="x", sparsity=0.5, layers={"fc": 0.5}, num_pruned={"fc": 500}
        ),
    ),
    normalization_layers=(),
)


@pytest.fixture
def stages(monkeypatch):
    """Replace the steps, which train networks."""
    module = ModuleType("flows.stages")
    module.prepare_data = lambda config, site, watch: DATA
    module.prepare_base = lambda config, site, watch: (DATA, BASE)
    module.prepare_plan = lambda config, site, watch: (DATA, BASE, PLAN)
    monkeypatch.setitem(sys.modules, "flows.stages", module)


@pytest.mark.usefixtures("stages")
class TestSteps:
    def test_fetch_prints_the_facts_of_the_data(self, mixmatch, run_file):
        result = mixmatch("fetch", run_file)
        assert result.exit_code == 0
        assert "1,220 train, 64 calibration, 143 validation, 370 test" in result.stdout
        assert "mean 0.25, 0.25, 0.25" in result.stdout

    def test_fetch_prints_json(self, mixmatch, run_file):
        result = mixmatch("fetch", run_file, "--json")
        assert json.loads(result.stdout)["classes"] == ["0", "1"]

    def test_base_prints_the_network_with_the_normalization_it_gets(self, mixmatch, run_file):
        result = mixmatch("base", run_file)
        assert "resnet18 (trained), 1,100 parameters, 1,000 of them prunable" in result.stdout
        assert "mean 0.125, 0.125, 0.125" in result.stdout

    def test_base_prints_json(self, mixmatch, run_file):
        result = mixmatch("base", run_file, "--json")
        assert json.loads(result.stdout)["accuracy"] == 0.97

    def test_plan_prints_ranges_strategies_and_cost(self, mixmatch, run_file):
        result = mixmatch("plan", run_file, "--set", "fine_tune.max_epochs=2")
        assert "1 trainings of 1,220 images, 2 epochs each; 2,440 image passes" in result.stdout

    def test_plan_prints_json(self, mixmatch, run_file):
        plan = json.loads(mixmatch("plan", run_file, "--json").stdout)
        assert plan["layers"][0]["range"] == [0.1, 0.9]
        assert plan["strategies"]["balanced"]["layers"] == {"fc": 0.5}
