"""Everything that is made from a study's rows: tables, figures and the page, at any time."""

from collections.abc import Sequence

from tasks.labels import DENSE
from tasks.study.csv_files import write_tables
from tasks.study.folder import StudyFolder
from tasks.study.page import write_page
from tasks.study.table_rows import StudyTables
from tasks.study.tables import make_tables


def publish(folder: StudyFolder, failed: Sequence[str] = ()) -> StudyTables:
    """Write tables, figures and page from the rows that the folder holds; nothing else is read.

    Args:
        folder: of the results; its session should have ended, so that the page knows its time.
        failed: labels of results that failed.

    Raises:
        WorkspaceError: a file cannot be read or written.
    """
    rows, kept, tables = folder.rows(), folder.plan(), tables_of(folder)
    write_tables(folder.path, rows, tables, wants_dense=_wants_dense(folder))
    if rows:
        from tasks.study.figures import write_figures  # noqa: PLC0415  matplotlib is slow to load

        write_figures(folder.path, tables, kept.plan if kept else None)
    write_page(
        folder.path,
        folder.facts,
        rows,
        tables,
        has_plan=kept is not None and bool(rows),
        sessions=folder.sessions(),
        failed=failed,
    )
    return tables


def tables_of(folder: StudyFolder) -> StudyTables:
    """Return the tables of a study, from its rows.

    Raises:
        WorkspaceError: a file cannot be read.
    """
    return make_tables(folder.rows(), wants_dense=_wants_dense(folder), int8=folder.int8())


def _wants_dense(folder: StudyFolder) -> bool:
    return DENSE in folder.config.compare
