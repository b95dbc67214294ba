import pytest

from flows.cli.output import megabytes, percent, reader_console


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.81234, "81.23"), (1.0, "100.00"), (-0.005, "-0.50")]
)
def test_a_fraction_is_printed_as_percent(fraction, text):
    assert percent(fraction) == text


def test_a_size_is_printed_in_millions_of_bytes():
    assert megabytes(44_700_000) == "44.70"


def test_text_makes_way_for_json(capsys):
    reader_console(as_json=True).print("to stderr")
    reader_console(as_json=False).print("to stdout")
    assert capsys.readouterr() == ("to stdout\n", "to stderr\n")


def test_a_file_gets_wide_tables():
    assert reader_console(as_json=False).width == 120
