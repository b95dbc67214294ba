"""What a retention policy keeps: versions and runs judged by what is known of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mixmatch.config import Retention

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class VersionToJudge:
    """One registered version.

    Attributes:
        name: registered model.
        version: its number.
        created: seconds since 1970.
        protected: why no policy may remove it; None: nothing protects it.
        front_rank: how many newer runs of its model there are than the newest whose front it is on;
            None: it is on the front of no run that is known.
    """

    name: str
    version: int
    created: float
    protected: str | None
    front_rank: int | None

    @property
    def reference(self) -> str:
        """``NAME/version``."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class RunToJudge:
    """One parent run.

    Attributes:
        run_id: of the run.
        experiment: that it belongs to.
        started: seconds since 1970.
        ended: likewise; None: it still runs.
        is_deleted: whether a person has deleted it; it counts as none of the newest then.
    """

    run_id: str
    experiment: str
    started: float
    ended: float | None
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a thing stays, and by which rule.

    Attributes:
        stays: whether it is kept.
        why: the rule, in a few words.
    """

    stays: bool
    why: str


def judge_versions(
    policy: Retention, versions: Iterable[VersionToJudge], now: float
) -> dict[str, Verdict]:
    """Return the verdict on every version by its reference."""
    by_name: dict[str, list[VersionToJudge]] = {}
    for one in versions:
        by_name.setdefault(one.name, []).append(one)
    verdicts: dict[str, Verdict] = {}
    for group in by_name.values():
        newest_first = sorted(group, key=lambda x: -x.version)
        for rank, one in enumerate(newest_first):
            verdicts[one.reference] = _judge_version(policy, one, rank, now)
    return verdicts


def judge_runs(
    policy: Retention, runs: Sequence[RunToJudge], needed: Mapping[str, str], now: float
) -> dict[str, Verdict]:
    """Return the verdict on every parent run by its id.

    Args:
        policy: what stays.
        runs: all of them.
        needed: of runs that kept versions came from, the version.
        now: seconds since 1970.
    """
    ranks: dict[str, int] = {}
    seen: dict[str, int] = {}
    for run in sorted(runs, key=lambda x: -x.started):
        if not run.is_deleted:
            ranks[run.run_id] = seen.get(run.experiment, 0)
            seen[run.experiment] = ranks[run.run_id] + 1
    return {x.run_id: _judge_run(policy, x, ranks.get(x.run_id), needed, now) for x in runs}


def _judge_version(policy: Retention, one: VersionToJudge, rank: int, now: float) -> Verdict:
    if one.protected is not None:
        return Verdict(True, one.protected)
    if rank < policy.keep_newest:
        return Verdict(True, f"among the newest {policy.keep_newest}")
    if one.front_rank is not None and one.front_rank < policy.keep_fronts:
        return Verdict(True, "on the front of a recent run")
    age_days = (now - one.created) / _DAY_S
    if age_days < policy.keep_days:
        return Verdict(True, f"younger than {policy.keep_days:g} days")
    return Verdict(False, f"{age_days:.1f} days old, and no rule keeps it")


def _judge_run(
    policy: Retention, run: RunToJudge, rank: int | None, needed: Mapping[str, str], now: float
) -> Verdict:
    if run.run_id in needed:
        return Verdict(True, f"made {needed[run.run_id]}")
    if run.ended is None:
        return Verdict(True, "still runs")
    if rank is not None and rank < policy.keep_runs:
        return Verdict(True, f"among the newest {policy.keep_runs}")
    age_days = (now - run.ended) / _DAY_S
    if age_days < max(policy.keep_days, policy.grace_hours / 24.0):
        return Verdict(True, f"younger than {policy.keep_days:g} days")
    return Verdict(False, f"{age_days:.1f} days old, and made no version that stays")
