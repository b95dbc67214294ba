"""The page over all studies of the experiment, docs/results/README.md, from their rows alone.

``python -m benchmarks.experiment_page`` writes what stands below the page's mark; what stands above
it is text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.experiment_figure import draw_networks
from benchmarks.experiment_ranges import ranges_table
from tasks.study.across import FrontDifference, Gain, StudyLine, compare_studies
from tasks.study.effort import distinct_jobs, stretches
from tasks.study.folder import StudyFolder
from tasks.study.markdown import comparison_table, drop_text, table
from tasks.study.publish import tables_of
from tasks.study.table_rows import StudyTables, SummaryRow

RESULTS = Path("docs/results")
MARK = "<!-- benchmarks/experiment_page.py writes all that follows -->"
NETWORKS = ("resnet18", "vgg11", "levit384", "swin-tiny")
BLIND = "resnet18-blind"  # two of the strategies, for two more rivals
# The first is what the others are compared with: the same family, trained strategy by strategy.
VARIANTS = (
    "resnet18-auto",
    *("resnet18-snip", "resnet18-chain", "resnet18-distill", "resnet18-together"),
    *("resnet18-budget", "resnet18-budget-third"),
)
BY_LAMP = ("vgg11-lamp", "levit384-lamp")  # ranges from the ranking that wins there
# Which ranges shall be the default: from LAMP alone, and from the paper's three rankings.
ARMS = tuple(f"{network}-{arm}" for network in NETWORKS for arm in ("wide", "observed"))
# The same network's family by the default, drawn beside the paper's: by magnitude alone.
DEFAULT = {network: f"{network}-observed" for network in NETWORKS}
_PICTURE = "![Points lost against sparsity, per network: family, rivals, the paper](networks.png)"
_GOAL = """The paper's losses are of other data sets, so this compares no methods. The goal,
set before anything was trained: the upper end of our loss is at most a quarter of the paper's, or
0.40 points where that is more.

"""
_NEAR = 0.005  # of the paper's sparsity


@dataclass(frozen=True, slots=True)
class _Published:
    """The best row of the paper for one network, fractions (arXiv 2603.20280)."""

    data: str
    sparsity: float
    drop: float
    criterion: str

    @property
    def goal(self) -> float:
        """What the upper end of our drop must not exceed."""
        return max(self.drop / 4, 0.004)


_BEST_ROWS = {
    "vgg11": _Published("CIFAR-10", 0.896, 0.0199, "product"),
    "resnet18": _Published("GTSRB", 0.873, 0.0121, "magnitude"),
    "levit384": _Published("CIFAR-10", 0.541, 0.0021, "gradient"),
    "swin-tiny": _Published("CIFAR-100", 0.448, 0.0150, "magnitude"),
}
# Studies that have a member near the paper's sparsity, by what follows the network in their names.
_NEAR_THEM = {
    "vgg11": ("", "-observed", "-wide", "-lamp"),
    "resnet18": ("", "-observed", "-wide", "-auto"),
    "levit384": ("", "-wide", "-lamp"),
    "swin-tiny": ("",),
}
PUBLISHED = {
    f"{network}{ending}": _BEST_ROWS[network]
    for network, endings in _NEAR_THEM.items()
    for ending in endings
}


def main() -> None:
    """Write the page."""
    write_page(RESULTS)


def write_page(results: Path) -> None:
    """Write the tables of all studies that are there below what the page says already."""
    known = (*NETWORKS, BLIND, *ARMS, *BY_LAMP, *VARIANTS)
    names = [name for name in known if (results / name / "study.json").is_file()]
    folders = {name: StudyFolder.read(results / name) for name in names}
    tables = {name: tables_of(folder) for name, folder in folders.items()}
    variants = {name: folders[name] for name in VARIANTS if name in folders}
    parts = [
        f"## Networks\n\n{_PICTURE}\n\n" + _networks(compare_studies(folders).studies),
        "## At the paper's own sparsities\n\n" + _GOAL + _published(tables),
        "## The family's best against the best rival\n\n" + _best(tables),
        "## Ranges and criteria, at equal sparsity\n\n" + ranges_table(folders),
        "## Beyond the paper, on ResNet-18\n\n" + _variants(compare_studies(variants).fronts),
        "## Rounded to int8\n\n" + _int8(tables),
        "## Time and machines\n\n" + _effort(folders),
    ]
    _draw(tables, results)
    page = results / "README.md"
    head = page.read_text().partition(MARK)[0].rstrip() if page.is_file() else "# Results"
    page.write_text("\n\n".join([head, MARK, *parts]) + "\n")


def _draw(tables: Mapping[str, StudyTables], results: Path) -> None:
    """Draw the networks that are there, each with what is to be seen beside its own family."""
    series: dict[str, dict[str, Sequence[SummaryRow]]] = {}
    for network in NETWORKS:
        if network not in tables:
            continue
        own = _of_criterion(tables[network], PUBLISHED[network].criterion)
        series[network] = {"family, the paper's way": own}
        if DEFAULT[network] in tables:
            series[network]["family, the default"] = tables[DEFAULT[network]].summary
    best = {network: (PUBLISHED[network].sparsity, PUBLISHED[network].drop) for network in series}
    if series:
        draw_networks(series, best, results)


def _of_criterion(tables: StudyTables, criterion: str) -> list[SummaryRow]:
    return [x for x in tables.summary if x.kind != "family" or x.criterion == criterion]


def _networks(lines: Sequence[StudyLine]) -> str:
    headings = (
        *("study", "results", "seeds", "base test %", "dense control test %"),
        *("keeps at most one point: sparsity %", "its drop on test, points (95 %)"),
    )
    cells = [
        (
            f"[{x.study}]({x.study}/README.md)",
            str(x.num_results),
            str(len(x.seeds)),
            _interval(x.base),
            _interval(x.dense),
            f"{100 * x.sparsest.sparsity:.2f} ({x.sparsest.label})" if x.sparsest else "none",
            drop_text(x.sparsest) if x.sparsest else "-",
        )
        for x in lines
    ]
    return table(headings, cells)


def _published(tables: Mapping[str, StudyTables]) -> str:
    headings = (
        *("study", "paper: data", "sparsity %", "drop"),
        *("ours", "sparsity %", "drop, points (95 %)", "goal for the upper end", "met"),
    )
    cells = []
    for name, published in PUBLISHED.items():
        for near in _near(tables[name].summary, published) if name in tables else []:
            if near.drop_high is None:
                continue
            met = "yes" if near.drop_high <= published.goal else "NO"
            level = (f"{100 * published.sparsity:.1f}", f"{100 * published.drop:.2f}")
            mark = " (the paper's criterion)" if near.criterion == published.criterion else ""
            ours = (f"{near.label}{mark}", f"{100 * near.sparsity:.2f}", drop_text(near))
            goal = f"{100 * published.goal:.2f}"
            cells.append((name, published.data, *level, *ours, goal, met))
    return table(headings, cells)


def _near(summary: Sequence[SummaryRow], published: _Published) -> list[SummaryRow]:
    """Return of each criterion the most accurate at that sparsity, on validation."""
    family = [x for x in summary if x.kind == "family"]
    near = [x for x in family if abs(x.sparsity - published.sparsity) <= _NEAR]
    near.sort(key=lambda x: (x.validation_mean, x.label))
    best = {x.criterion: x for x in near}
    return sorted(best.values(), key=lambda x: x.criterion != published.criterion)


def _best(tables: Mapping[str, StudyTables]) -> str:
    parts = [f"### {name}\n\n{comparison_table(x.best)}" for name, x in tables.items() if x.best]
    return "\n\n".join(parts) or "None yet."


def _variants(fronts: Sequence[FrontDifference]) -> str:
    headings = (
        *("study", "epochs", f"epochs of {VARIANTS[0]}", "front (points)"),
        *(f"front of {VARIANTS[0]} (points)", "difference (95 %)"),
        *("networks of both", "their accuracy, points (95 %)", "the sparsest alone"),
    )
    cells = [
        (
            x.study,
            str(x.epochs),
            str(x.beside_epochs),
            f"{x.area:.5f} ({x.num_on_front})",
            f"{x.beside_area:.5f} ({x.beside_num_on_front})",
            f"{x.difference:+.5f} ({x.low:+.5f} to {x.high:+.5f})",
            str(x.gain.num_pairs if x.gain else 0),
            _gain(x.gain),
            f"{x.sparsest}: {_gain(x.sparsest_gain)}" if x.sparsest else "-",
        )
        for x in fronts
        if x.beside == VARIANTS[0]
    ]
    return table(headings, cells)


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return "-"
    return f"{100 * gain.mean:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})"


def _int8(tables: Mapping[str, StudyTables]) -> str:
    headings = ("study", "configuration", "float32 test %", "int8 test %", "float32 MB", "int8 MB")
    cells = [
        (
            name,
            row.label,
            f"{100 * row.test_mean:.2f}",
            f"{100 * row.int8_test_mean:.2f}",
            f"{row.bytes / 1e6:.2f}",
            f"{row.int8_bytes / 1e6:.2f}",
        )
        for name, of_one in tables.items()
        for row in of_one.summary
        if row.int8_test_mean is not None and row.int8_bytes is not None and row.on_front
    ]
    return table(headings, cells)


def _effort(folders: Mapping[str, StudyFolder]) -> str:
    headings = (
        "study",
        "wall time, h",
        "processor time of its own jobs, h",
        "hardware",
        "versions",
    )
    cells = []
    known: set[str] = set()  # keys of what an earlier study has computed, and this one only took
    for name, folder in folders.items():
        rows = folder.rows()
        wall_s = sum(x.seconds for x in stretches(folder.sessions(), rows))
        jobs = [row for row in distinct_jobs(rows) if row.key not in known]
        known |= {row.key for row in rows if row.key}
        cpu_s = sum(row.cpu_seconds or 0.0 for row in jobs)
        versions = {f"{x} {version}" for row in rows for x, version in row.versions.items()}
        hardware = "; ".join(sorted({row.hardware for row in rows}))
        hours = (f"{wall_s / 3600:.2f}", f"{cpu_s / 3600:.2f}")
        cells.append((name, *hours, hardware, ", ".join(sorted(versions))))
    return table(headings, cells)


def _interval(row: SummaryRow | None) -> str:
    if row is None:
        return "-"
    return f"{100 * row.test_mean:.2f} ({100 * row.test_low:.1f} to {100 * row.test_high:.1f})"


if __name__ == "__main__":
    main()
