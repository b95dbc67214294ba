"""How the report prints numbers: fractions become percent and bytes megabytes only here."""

from mixmatch.records import Accuracy

BYTES_PER_MEGABYTE = 1_000_000


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
    decimals = 2 if size_bytes >= BYTES_PER_MEGABYTE else 4
    return f"{size_bytes / BYTES_PER_MEGABYTE:,.{decimals}f} MB"


def milliseconds(seconds: float) -> str:
    """Print a time in milliseconds with three significant digits, all digits before the point."""
    ms = 1000 * seconds
    decimals = 2 if ms < 10 else 1 if ms < 100 else 0
    return f"{ms:,.{decimals}f}"
