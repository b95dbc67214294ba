from tasks.study.drawing import COLORS, MARKS


def test_no_two_of_56_series_look_alike():
    looks = {(COLORS[n % len(COLORS)], MARKS[n % len(MARKS)]) for n in range(56)}
    assert len(looks) == 56
