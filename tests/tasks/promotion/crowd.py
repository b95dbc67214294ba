"""Many promotions of one alias at once: some threads in one of several processes.

The winner is not evaluated again here, which would take most of the time and is tested elsewhere;
in its place everybody waits for a moment, so that some overtake others.
"""

import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mixmatch.config import Policy
from mixmatch.errors import PromotionError
from tasks.promotion import Judges, promote, promoting
from tasks.site import Site
from tasks.tracking import Aliases
from tasks.workspace import Workspace

NAME = "shapes"


def wait_instead(*args):
    time.sleep(random.uniform(0, 0.3))


def promote_once(site, number):
    """Promote by one of two policies that prefer different versions; say what came of it."""
    prefer = "smallest" if number % 2 else "most-accurate"
    policy = Policy(passes_audit=False, on_front=False, prefer=prefer)
    try:
        summary = promote(site, NAME, policy, by=f"promotion {number}", judges=Judges())
    except PromotionError as error:
        return "lost", str(error)
    except Exception as error:  # whatever it is, the test must see it
        return "broken", f"{type(error).__name__}: {error}"
    return summary.outcome, summary.entry


def main(root, first, num, gate):
    promoting._evaluated = wait_instead
    site = Site.at(Workspace.open(Path(root)))
    Aliases(site, NAME).version_of("champion")  # MLflow is loaded before all begin at once
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not Path(gate).exists():
        time.sleep(0.01)
    with ThreadPoolExecutor(num) as pool:
        outcomes = list(pool.map(lambda n: promote_once(site, first + n), range(num)))
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
