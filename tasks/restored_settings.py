"""The settings of a lineage as a run file for whoever restores it.

Whoever wrote the lineage decides what is computed, and not which machines compute it, where its
files go, or who is told.
"""

from collections.abc import Mapping

from mixmatch.config import RunConfig, parse_run_config

# What of the engine decides numbers. A setting that is not listed gets its default: it may name an
# address, or speak of another machine.
_ENGINE = ("device", "precision", "threads_per_job", "compile")
_OWN: Mapping[str, object] = {"store": None, "notify": []}


def settings_here(settings: Mapping[str, object], source: str) -> RunConfig:
    """Return recorded settings with store, webhooks and engine reset, but for what decides numbers.

    Args:
        settings: as the lineage has them.
        source: what they are called in messages.

    Raises:
        ConfigError: they are wrong, or of another version of mixmatch; one sentence.
    """
    recorded = settings.get("engine")
    engine = recorded if isinstance(recorded, dict) else {}
    kept = {name: engine[name] for name in _ENGINE if name in engine}
    return parse_run_config({**settings, **_OWN, "engine": kept}, source)
