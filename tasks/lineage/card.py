"""The model card of a registered version: what it is, what it was made from, how good it is."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from mixmatch.records import Accuracy, BaseRecord, Lineage, Result


def model_card(lineage: Lineage, base: BaseRecord, result: Result) -> str:
    """Write the card as Markdown with the front matter that model hubs read."""
    environment = Environment(
        loader=PackageLoader("tasks.lineage", "."),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["pct"] = lambda value: f"{100 * value:.2f} %"
    environment.filters["interval"] = _interval
    return environment.get_template("card.md.j2").render(
        lineage=lineage, base=base, result=result, member=result.member, fetch=_fetch(lineage)
    )


def _interval(accuracy: Accuracy) -> str:
    low, high = 100 * accuracy.low, 100 * accuracy.high
    return f"{100 * accuracy.value:.2f} % (95 %: {low:.2f} to {high:.2f})"


def _fetch(lineage: Lineage) -> dict[str, object]:
    trace = lineage.step("fetch")
    return {} if trace is None else trace.record
