"""Selection of the lowest scores: exact, for many counts together, linear in the scores."""

from mixmatch.selection.cuts import Cut, find_cuts
from mixmatch.selection.keys import Keys
from mixmatch.selection.levels import MOST_CUTS, find_levels
from mixmatch.selection.lone import MOST_SCORES, lone_mask
from mixmatch.selection.marks import marks_above

__all__ = [
    "MOST_CUTS",
    "MOST_SCORES",
    "Cut",
    "Keys",
    "find_cuts",
    "find_levels",
    "lone_mask",
    "marks_above",
]
