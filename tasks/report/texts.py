"""How the report prints numbers: fractions become percent and bytes megabytes only here."""

from mixmatch.records import Accuracy


def percent(fraction: float) -> str:
    """Print a fraction, for example ``98.33 %``."""
    return f"{100 * fraction:.2f} %"


def interval(accuracy: Accuracy) -> str:
    """Print the ends of the 95 % interval, for example ``97.51 to 98.90 %``."""
    return f"{100 * accuracy.low:.2f} to {100 * accuracy.high:.2f} %"


def points(fraction: float) -> str:
    """Print a difference of two fractions in percentage points with its sign: ``-0.42``."""
    text = f"{100 * fraction:+.2f}"
    return "0.00" if text in {"+0.00", "-0.00"} else text


def megabytes(size_bytes: int) -> str:
    """Print a size in units of 1,000,000 bytes: two decimals, four below one megabyte."""
    decimals = 2 if size_bytes >= 1_000_000 else 4
    return f"{size_bytes / 1e6:,.{decimals}f} MB"
