"""A family under a budget of epochs: untrained first, then successive halving."""

from collections.abc import Sequence
from dataclasses import replace

from flows.members import ComputedMembers, compute
from flows.session import Session
from mixmatch.halving import rungs
from tasks.family import hopeful
from tasks.members import Member, Prepared, Spent, continued, untrained


def compute_within_budget(
    session: Session, prepared: Prepared, epochs: int
) -> tuple[tuple[Member, ...], ComputedMembers]:
    """Spend ``epochs`` per seed where they can still change the front.

    Returns:
        The family, each configuration under each seed after its best round on validation, and what
        was computed. Seeds share the network of a configuration that none of them has trained.
    """
    family: tuple[Member, ...] = untrained(session.config, prepared)
    done = compute(session, family)
    ended: list[Member] = []
    for seed in session.config.seeds:
        ended += _halve(session, prepared, family, done, epochs=epochs, seed=seed)
    return tuple(ended), done


def _halve(
    session: Session,
    prepared: Prepared,
    family: Sequence[Member],
    done: ComputedMembers,
    *,
    epochs: int,
    seed: int,
) -> list[Member]:
    """Train those that can still reach the front, round by round, adding to ``done``."""
    now = {(x.strategy, x.criterion): x for x in family if x.job.key in done.records}
    # Under this seed's name: another seed may train the same configuration.
    best, alive = {x: replace(one, seed=seed) for x, one in now.items()}, list(now)
    rounds = {x: [one] for x, one in now.items()}
    for rung in rungs(len(now), epochs) if now else ():
        alive = hopeful([now[x] for x in alive], done.records, rung.num_survivors)
        asked = [
            continued(now[x], session.config, prepared, epochs=rung.epochs, seed=seed)
            for x in alive
        ]
        done.add(compute(session, asked))
        trained = {(x.strategy, x.criterion): x for x in asked if x.job.key in done.records}
        for x, one in trained.items():
            rounds[x].append(one)
        best |= {x: one for x, one in trained.items() if _is_no_worse(one, best[x], done)}
        now |= trained
        alive = list(trained)
        if not alive:
            break
    return [replace(one, spent=_spent(rounds[x], done)) for x, one in best.items()]


def _spent(rounds: Sequence[Member], done: ComputedMembers) -> Spent:
    """Sum up the rounds of one configuration, the first, untrained one with every seed."""
    records = [done.records[one.job.key] for one in rounds]
    processor = [x.cpu_seconds for x in records if x.cpu_seconds is not None]
    return Spent(
        epochs=sum(len(x.epochs) for x in records),
        seconds=sum(x.seconds for x in records),
        cpu_seconds=sum(processor) if len(processor) == len(records) else None,
        untrained=records[0],
    )


def _is_no_worse(later: Member, earlier: Member, done: ComputedMembers) -> bool:
    """Compare two rounds of one configuration on validation; of equal ones the later stays."""
    now, before = (done.records[x.job.key].validation.num_correct for x in (later, earlier))
    return now >= before
