"""Changes stored things for a while: bytes of files, fields of MLflow's database."""

import sqlite3
from contextlib import closing, contextmanager


@contextmanager
def changed(file, content):
    """Have other bytes in a file for a while; DVC's are write-protected."""
    before, mode = file.read_bytes(), file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(before)
        file.chmod(mode)


def flipped(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    return changed(file, bytes(content))


@contextmanager
def created(file, content):
    """Have a file for a while that is not there, or is another."""
    if file.exists():
        with changed(file, content):
            yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def updated(site, table, column, value, where):
    """Have another value in MLflow's database for a while."""
    with rewritten(site, [(table, column, value, where)]):
        yield


@contextmanager
def rewritten(site, changes):
    """Have other values in MLflow's database for a while; rows that are not there are passed over.

    Args:
        changes: table, column, value, and which row.
    """
    database = site.open_workspace().mlflow_database
    undo = []
    with closing(sqlite3.connect(database)) as connection:
        for table, column, value, where in changes:
            select = f"select rowid, {column} from {table} where {where}"
            for row, before in connection.execute(select).fetchall():
                change = f"update {table} set {column} = ? where rowid = ?"
                connection.execute(change, (value, row))
                undo.append((change, (before, row)))
        connection.commit()
        assert undo
        try:
            yield
        finally:
            for change, values in reversed(undo):
                connection.execute(change, values)
            connection.commit()
