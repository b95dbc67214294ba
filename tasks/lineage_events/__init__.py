"""What OpenLineage is told of a run: that it began and how it ended, with what from what.

``places`` names data sets as OpenLineage does, ``datasets`` describes them, ``events`` puts an
event together, ``telling`` sends it.
"""

from tasks.lineage_events.facts import Began, FlowId, Outcome
from tasks.lineage_events.telling import RunEvents

__all__ = ["Began", "FlowId", "Outcome", "RunEvents"]
