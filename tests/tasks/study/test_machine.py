from tasks.host import num_processors, processor
from tasks.study.machine import Machine


def test_names_processor_and_cores_and_versions():
    here = Machine.here()
    assert here.hardware == f"{processor()}, {num_processors()} cores"
    assert set(here.versions) >= {"python", "mixmatch", "torch", "timm"}
