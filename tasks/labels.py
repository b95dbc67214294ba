"""How one result of a run is called: in tables and bars, as the name of its runs, in studies."""

# The rival that prunes nothing.
DENSE = "dense"


def member_label(strategy: str, criterion: str, seed: int) -> str:
    """Name one member for tables, bars and run names, for example ``balanced/magnitude/0``."""
    return f"{strategy}/{criterion}/{seed}"


def rival_label(rival: str, sparsity: float, seed: int) -> str:
    """Name one rival likewise, for example ``MAG@0.9343/0``, or ``dense/0``."""
    return f"{rival}/{seed}" if rival == DENSE else f"{rival}@{sparsity:.9g}/{seed}"


def int8_label(label: str) -> str:
    """Name the int8 file of one result, for example ``balanced/magnitude/0/int8``."""
    return f"{label}/int8"
