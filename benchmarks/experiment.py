"""The experiment of ``docs/results``, part by part: ``make experiment``.

A part is a study of ``configs/experiment``; the dense network that it names as its checkpoint is
trained first, unless it lies there. After each part the page over all is written anew. Whatever was
killed goes on from where it was: training from the last epoch that was kept, a study from its rows.
Give names of parts to do only those, ``base-NAME`` to train a dense network alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.experiment_page import write_page
from tasks.run_file import load_run_file
from tasks.site import Site
from tasks.workspace import Workspace

RUN_FILES, RESULTS = Path("configs/experiment"), Path("docs/results")
WORKSPACE = Path("build/experiment/workspace")
MIXMATCH = Path(sys.executable).with_name("mixmatch")


def main() -> None:
    """Do the parts that are asked for, or all of them."""
    known = sorted(file.stem for file in RUN_FILES.glob("*.yaml"))
    asked = sys.argv[1:] or [name for name in known if not name.startswith("base-")]
    if unknown := sorted(set(asked) - set(known)):
        raise SystemExit(f"Parts must be among {', '.join(known)}, got {', '.join(unknown)}.")
    for part in asked:
        run_file = RUN_FILES / f"{part}.yaml"
        if part.startswith("base-"):
            train(run_file)
            continue
        checkpoint = Path(load_run_file(run_file).model.checkpoint or "")
        if not checkpoint.exists():
            keep(train(RUN_FILES / f"base-{checkpoint.stem}.yaml"), checkpoint)
        mixmatch("study", run_file, "--results", RESULTS / part)
        write_page(RESULTS)


def train(run_file: Path) -> str:
    """Train a dense network; return the SHA-256 of its weights file."""
    printed = mixmatch("base", run_file, "--json")
    return str(json.loads(printed.splitlines()[-1])["digest"])


def keep(digest: str, checkpoint: Path) -> None:
    """Give a file of the store the name that run files know it by."""
    found = Site.at(Workspace(WORKSPACE.resolve())).open_store().find_file(digest)
    if found is None:
        raise SystemExit(f"{WORKSPACE} must hold the dense network {digest[:12]} just trained.")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.unlink(missing_ok=True)
    os.link(found, checkpoint)


def mixmatch(*arguments: object) -> str:
    """Run one command in the experiment's workspace and return what it printed."""
    command = [str(MIXMATCH), *map(str, arguments), "--workspace", str(WORKSPACE)]
    print(" ".join(command), flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
