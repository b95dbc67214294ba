"""What a study comes to: the JSON that ``study --json`` prints and other programs rely on."""

from mixmatch.records import Record
from tasks.study.table_rows import StudyTables


class StudySummary(Record):
    """The state of a results folder after one session of work.

    Keys may be added, never renamed or removed.

    Attributes:
        folder: the results folder.
        num_rows: results in it.
        num_new: those that this session added.
        failed: label of each result that failed in this session, with its reason.
        tables: summary, comparisons and fronts.
    """

    folder: str
    num_rows: int
    num_new: int
    failed: dict[str, str]
    tables: StudyTables
