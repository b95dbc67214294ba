from tasks.report.marks import accuracy_of, error_bars, measured_lines


def test_the_split_says_which_accuracy_is_drawn(base):
    assert accuracy_of(base, "test") is base.test
    assert accuracy_of(base, "validation") is base.validation


def test_error_bars_reach_to_the_ends_of_the_interval(base):
    accuracy = base.test.model_copy(update={"value": 0.5, "low": 0.25, "high": 0.625})
    bars = error_bars([accuracy])
    assert (bars["array"], bars["arrayminus"], bars["symmetric"]) == ([0.125], [0.25], False)


def test_says_what_was_measured(rivals):
    assert measured_lines(rivals[0].member) == (
        "sparsity 0.00 %",
        "validation 99.10 % (98.51 to 99.69 %)",
        "test 98.60 % (98.09 to 99.11 %)",
        "9.00 MB (9,000,000 bytes)",
    )
