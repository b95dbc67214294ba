"""The registry's models as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.cli.facts_table import print_facts

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.tracking import ModelDetail, ModelRow


def print_models(console: "Console", models: "Sequence[ModelRow]") -> None:
    """Print one line per registered model."""
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    if not models:
        console.print("Nothing is registered in this workspace yet; begin with: mixmatch demo")
        return
    table = Table("name", "versions", "latest", "aliases", "updated", box=box.SIMPLE_HEAD)
    for model in models:
        aliases = ", ".join(f"{alias} = {number}" for alias, number in model.aliases.items())
        latest = "-" if model.latest_version is None else str(model.latest_version)
        table.add_row(model.name, str(model.num_versions), latest, aliases, model.updated)
    console.print(table)


def print_model(console: "Console", model: "ModelDetail") -> None:
    """Print one version: identity, tags, final figures, settings."""
    identity = {
        "Model": f"{model.name}, version {model.version}",
        "Aliases": ", ".join(model.aliases) or "-",
        "Created": model.created,
        "Files": model.uri,
        "MLflow run": model.run_id or "-",
    }
    figures = {name: f"{value:.10g}" for name, value in sorted(model.metrics.items())}
    sections = (
        ("", identity),
        ("Tags", dict(sorted(model.tags.items()))),
        ("Final figures", figures),
        ("Settings", dict(sorted(model.settings.items()))),
    )
    for title, facts in sections:
        if title and facts:
            console.print(f"\n{title}", style="bold")
        if facts:
            print_facts(console, facts)
