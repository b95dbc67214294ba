"""The small frozen records that travel between steps, and that JSON files hold.

A record names big things by digest and never holds a tensor. Records are stored with
``SCHEMA_VERSION``; raise it when a field changes its meaning.
"""

from mixmatch.records.deployment import HostRecord, LatencyRecord, QuantizedRecord, Timing
from mixmatch.records.families import (
    EpochRecord,
    FamilyRecord,
    MemberRecord,
    Result,
    RivalResult,
)
from mixmatch.records.inputs import BaseRecord, DataRecord, ModelSpec, SensitivityRecord
from mixmatch.records.ledger import Candidate, Gate, LedgerEntry, Verdict, VersionFacts
from mixmatch.records.lineage import Builder, FlowTrace, Lineage, RunTrace, StepTrace
from mixmatch.records.plans import (
    LayerRecord,
    ObservationRecord,
    PlanRecord,
    ProbeRecord,
    RivalPlan,
    RivalsRecord,
    StrategyRecord,
    TargetsRecord,
)
from mixmatch.records.record import SCHEMA_VERSION, Accuracy, Artifact, Execution, Record
from mixmatch.records.retention import Collection, Removal, Stay

__all__ = [
    "SCHEMA_VERSION",
    "Accuracy",
    "Artifact",
    "BaseRecord",
    "Builder",
    "Candidate",
    "Collection",
    "DataRecord",
    "EpochRecord",
    "Execution",
    "FamilyRecord",
    "FlowTrace",
    "Gate",
    "HostRecord",
    "LatencyRecord",
    "LayerRecord",
    "LedgerEntry",
    "Lineage",
    "MemberRecord",
    "ModelSpec",
    "ObservationRecord",
    "PlanRecord",
    "ProbeRecord",
    "QuantizedRecord",
    "Record",
    "Removal",
    "Result",
    "RivalPlan",
    "RivalResult",
    "RivalsRecord",
    "RunTrace",
    "SensitivityRecord",
    "Stay",
    "StepTrace",
    "StrategyRecord",
    "TargetsRecord",
    "Timing",
    "Verdict",
    "VersionFacts",
]
