from tasks.study.effort import Effort, efforts, stretches
from tasks.study.facts import Session


def session(name, started_at, seconds=None):
    return Session(
        id=name,
        started_at=started_at,
        ended_at=started_at if seconds else None,
        seconds=seconds,
        succeeded=None,
        hardware="",
        versions={},
    )


def test_a_killed_session_lasts_until_its_last_result(study_rows):
    sessions = [
        session("ended", "2026-11-22T09:00:00+00:00", 12.5),
        session("killed", "2026-11-22T10:00:00+00:00"),
        session("killed at once", "2026-11-22T11:00:00+00:00"),
    ]
    found = stretches(sessions, study_rows)  # all finished at 10:00:30
    assert [x.seconds for x in found] == [12.5, 30.0, 0.0]
    assert [x.was_ended for x in found] == [True, False, False]


def test_effort_is_summed_by_kind(study_rows):
    unmeasured = study_rows[3].model_copy(update={"cpu_seconds": None})
    assert efforts((*study_rows[:3], unmeasured)) == (
        Effort("base", 1, 10.0, 15.0, 1),
        Effort("dense", 2, 20.0, 30.0, 2),
        Effort("family", 1, 10.0, 0, 0),
    )


def test_a_job_that_seeds_share_counts_once_and_so_does_the_start_of_a_chain(study_rows):
    first, second = (x for x in study_rows if x.name == "balanced")
    shared = [x.model_copy(update={"key": "a" * 64}) for x in (first, second)]
    assert efforts(shared) == (Effort("family", 2, 10.0, 15.0, 2),)
    chained = [first, second.model_copy(update={"seconds": 16.0, "seconds_before": 10.0})]
    assert efforts(chained) == (Effort("family", 2, 16.0, 30.0, 2),)
