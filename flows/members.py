"""Compute the members that a run asks for, side by side, and count what the store held."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from flows.session import Session
from flows.side_by_side import Computed, Work, compute_side_by_side
from mixmatch.records import MemberRecord
from tasks.members import Asked, first_of
from tasks.steps import make_member

OnMember = Callable[[Asked, MemberRecord], None]
ComputedMembers: TypeAlias = Computed[MemberRecord]

_PRUNE = Work(make_member, stage="members", doing="to prune, fine-tune and evaluate")


def compute(
    session: Session,
    asked: Sequence[Asked],
    *,
    beside: Sequence[Asked] = (),
    on_member: OnMember | None = None,
) -> ComputedMembers:
    """Return the records of ``asked``, computing those that the store does not hold.

    One that starts from another's network waits for it. One failure loses no other.

    Args:
        session: of the flow that is running.
        asked: members and rivals, distinct by job.
        beside: computed with them, but not counted among the hits and misses of the run.
        on_member: called with each that is done, as soon as it is; the store's first.
    """
    cached: list[Asked] = [one for one in asked if session.holds(one.job)]
    cached += [one for one in beside if session.finds(one.job)]
    there = {one.job.key for one in cached}
    # By key: a rival may be a reference too.
    every = {x.job.key: x for x in (*beside, *asked)}
    missing = [one for key, one in every.items() if key not in there]
    return compute_side_by_side(
        session, _PRUNE, cached, missing, after=first_of(missing), on_record=on_member
    )
