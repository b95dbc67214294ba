from tasks.report.axes import AXES, SIZE, SPARSITY


def test_a_network_stands_at_its_counted_sparsity_or_at_its_bytes_on_disk(family):
    result = family.results[0]
    assert SPARSITY.place(result.member) == result.member.sparsity
    assert SIZE.place(result.member) == result.member.artifact.size_bytes / 1_000_000


def test_an_int8_file_stands_at_its_own_bytes(deployed):
    int8 = next(x.int8 for x in deployed.results if x.int8)
    assert SIZE.place(int8) == int8.artifact.size_bytes / 1_000_000


def test_each_axis_has_its_own_front(family):
    result = family.results[0].model_copy(update={"on_front": True, "on_size_front": False})
    assert [axis.is_on_front(result) for axis in AXES.values()] == [True, False]
    result = family.results[0].model_copy(update={"on_front": False, "on_size_front": True})
    assert [axis.is_on_front(result) for axis in AXES.values()] == [False, True]


def test_axes_are_found_by_their_names():
    assert {name: axis.name for name, axis in AXES.items()} == {
        "sparsity": "sparsity",
        "size": "size",
    }
