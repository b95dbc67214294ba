"""The data set and the base network in words."""

from typing import TYPE_CHECKING

from flows.cli.output import megabytes, percent

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.plan_summary import DataSummary
    from tasks.summary import BaseSummary

_MAX_CLASSES_SHOWN = 10
_NAME_WIDTH = 13  # of the longest usual name, so that blocks below each other align


def print_data(console: "Console", data: "DataSummary") -> None:
    """Print where the images come from, how they are split, and how the network gets them."""
    height, width, channels = data.image_shape
    sizes = ", ".join(f"{count:,} {split}" for split, count in data.num_images.items())
    names = ", ".join(data.classes[:_MAX_CLASSES_SHOWN])
    more = ", ..." if len(data.classes) > _MAX_CLASSES_SHOWN else ""
    mean, std = (", ".join(f"{x:.4g}" for x in values) for values in (data.mean, data.std))
    print_facts(
        console,
        {
            "Data": f"{data.name} ({data.source}), {height} x {width} x {channels}",
            "Images": sizes,
            "Classes": f"{len(data.classes)}: {names}{more}",
            "Normalization": f"mean {mean}; standard deviation {std}",
            "Augmentation": data.augmentation,
        },
    )


def print_base(console: "Console", base: "BaseSummary") -> None:
    """Print the base network with its accuracy; its warnings stand out."""
    low, high = base.accuracy_interval
    print_facts(
        console,
        {
            "Base": f"{base.architecture} ({base.source}), {base.num_parameters:,} parameters, "
            f"{base.num_weights:,} of them prunable, {megabytes(base.bytes)} MB",
            "Accuracy": f"validation {percent(base.validation_accuracy)} %, test "
            f"{percent(base.accuracy)} % (95 %: {percent(low)} to {percent(high)})",
        },
    )
    for warning in base.warnings:
        console.print(f"WARNING: {warning}", style="bold yellow", soft_wrap=True)


def print_facts(console: "Console", facts: dict[str, str]) -> None:
    """Print names and values below each other; long values stay in one piece for copying."""
    width = max(_NAME_WIDTH, *map(len, facts))
    for name, value in facts.items():
        console.print(f"{name:<{width}}  {value}", soft_wrap=True)
