import numpy as np

from tasks.onnx_files import OnnxNetwork, with_weights


def test_a_file_and_its_content_give_the_same_logits(graph, make_network, tmp_path):
    content = with_weights(graph, make_network(0).state_dict())
    (tmp_path / "net.onnx").write_bytes(content)
    images = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)
    from_file = OnnxNetwork(tmp_path / "net.onnx", threads=1)(images)
    assert from_file.dtype == np.float32
    assert np.array_equal(from_file, OnnxNetwork(content, threads=2)(images))
