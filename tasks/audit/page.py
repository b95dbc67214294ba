"""The audit as one HTML page that needs no network."""

import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mixmatch.errors import WorkspaceError
from tasks.audit.links import Audit


def write_page(audit: Audit, file: Path) -> None:
    """Write the page, complete or not at all.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("tasks.audit", "."), undefined=StrictUndefined, autoescape=True
    )
    text = environment.get_template("audit.html.j2").render(audit=audit)
    torn = file.with_name(f".{file.name}.new")
    try:
        torn.write_text(text, encoding="utf-8")
        os.replace(torn, file)
    except OSError as error:
        raise WorkspaceError(
            f"--html must name a file that can be written, got {file} ({error.strerror})."
        ) from error
