"""The file of a review log: SQLite in WAL mode, to which rows can only be added."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diagnosis.errors import InputError, WorkError
from diagnosis.review.chain import START, Entry, content_hash, row_hash, text_of

__all__ = ["add", "entries", "last", "opened", "redact", "sealed"]

_APPLICATION, _VERSION = 0x64785276, 1
_COLUMNS = "seq, kind, time, salt, content, content_hash, hash"
_SCHEMA = f"""
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, time TEXT NOT NULL, salt TEXT, content TEXT,
    content_hash TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER no_change BEFORE UPDATE ON entries
WHEN NEW.content IS NOT NULL OR NEW.salt IS NOT NULL OR OLD.kind = 'redaction' OR NEW.seq IS NOT OLD.seq
    OR NEW.kind IS NOT OLD.kind OR NEW.time IS NOT OLD.time OR NEW.content_hash IS NOT OLD.content_hash
    OR NEW.hash IS NOT OLD.hash
BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


def opened(path: Path, wait: float) -> None:
    """Make the file if it is not there, and check that it is a review log.

    Raises
    ------
    InputError
        Another kind of file, a log of a newer release, or a folder that is not there.
    WorkError
        The file cannot be written, or another program holds it.
    """
    if not path.parent.is_dir():
        raise InputError("a review log stands in a folder", f"there is no folder {path.parent}", "make it first")
    if not path.exists():
        _private(path)
    with connection(path, wait) as db:
        with _whole(db):
            _checked_or_made(db, path)
        db.execute("PRAGMA journal_mode = WAL")  # kept in the file; of a file of another kind nothing is changed


def add(path: Path, wait: float, kind: str, values: dict[str, Any]) -> Entry:
    """Add a row behind the last one; when this returns it is on the disk."""
    with connection(path, wait) as db, _whole(db):
        return _added(db, kind, values)


def redact(path: Path, wait: float, case_ids: Sequence[str], reason: str) -> Entry | None:
    """Take out the content of every row about these cases and add the row that says so; None: there was none."""
    with connection(path, wait) as db:
        with _whole(db):
            found = db.execute(
                "SELECT seq, json_extract(content, '$.case_id'), json_extract(content, '$.record') FROM entries "
                "WHERE kind = 'review' AND content IS NOT NULL "
                "AND json_extract(content, '$.case_id') IN (SELECT value FROM json_each(?)) ORDER BY seq",
                (json.dumps(list(case_ids)),),
            ).fetchall()
            rows = [seq for seq, _, _ in found]
            about = sorted({sealed(case, record, secrets.token_hex(16)) for case, record in {one[1:] for one in found}})
            values = {"rows": rows, "reason": reason, "about": about}
            entry = _added(db, "redaction", values) if rows else None
            db.executemany("UPDATE entries SET content = NULL, salt = NULL WHERE seq = ?", [(row,) for row in rows])
        # What was taken out is to stay neither in the WAL file nor, behind a reader, in the main one.
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise WorkError(
                f"The answers are out of the review log, but another program is reading {path.name} and keeps the old "
                "text in the file: close it and redact once more."
            )
    return entry


def sealed(case_id: str, record: str, salt: str) -> str:
    """Return what finds a redacted case again for who holds its whole record, and says nothing to anybody else."""
    about = "\n".join((salt, record, case_id))
    return f"{salt}-{hashlib.sha256(about.encode()).hexdigest()}"


def entries(path: Path, wait: float) -> list[Entry]:
    """Return every row, the first one first."""
    with connection(path, wait) as db:
        return [Entry(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY seq")]  # noqa: S608


def last(path: Path, wait: float) -> Entry | None:
    """Return the last row; None for a log without one."""
    with connection(path, wait) as db:
        return _last(db)


@contextmanager
def connection(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """Open the file for one piece of work; its errors become ours."""
    try:
        db = sqlite3.connect(path, timeout=wait, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            yield db
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        raise WorkError(_says(path, str(error), wait)) from None
    except sqlite3.DatabaseError as error:
        if "never" in str(error):  # our own triggers
            raise
        found = f"{path.name} is no SQLite file, or a damaged one"
        raise InputError("a review log", found, "name another file, or take the last copy") from None


def _says(path: Path, error: str, wait: float) -> str:
    if "locked" in error or "busy" in error:
        return (
            f"The review log {path.name} was held by another program for {wait:g} seconds. Nothing was stored: "
            "give the answer again, or close the other program."
        )
    if "readonly" in error or "unable to open" in error:
        return f"The review log {path.name} cannot be written: {error}. Use a folder that you may write to."
    return f"The review log {path.name} could not be written: {error}. Nothing was stored."


def _checked_or_made(db: sqlite3.Connection, path: Path) -> None:
    application, version = (db.execute(f"PRAGMA {one}").fetchone()[0] for one in ("application_id", "user_version"))
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        for statement in _statements(_SCHEMA):
            db.execute(statement)
    elif application != _APPLICATION:
        raise InputError("a review log", f"{path.name} is an SQLite file of another kind", "name another file")
    elif version > _VERSION:
        found = f"{path.name} has version {version}, this release knows {_VERSION}"
        raise InputError("a review log that this release knows", found, "install a newer release")


@contextmanager
def _whole(db: sqlite3.Connection) -> Iterator[None]:
    """Do a piece of work whole or not at all, and alone."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _added(db: sqlite3.Connection, kind: str, values: dict[str, Any]) -> Entry:
    before = _last(db)
    seq = 1 if before is None else before.seq + 1
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    salt, content = secrets.token_hex(16), text_of({**values, "seq": seq, "time": time})
    sealed = content_hash(salt, content)
    chained = row_hash(START if before is None else before.hash, seq, kind, time, sealed)
    entry = Entry(seq, kind, time, salt, content, sealed, chained)
    row = (entry.seq, entry.kind, entry.time, entry.salt, entry.content, entry.content_hash, entry.hash)
    db.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
    return entry


def _last(db: sqlite3.Connection) -> Entry | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY seq DESC LIMIT 1").fetchone()  # noqa: S608
    return None if row is None else Entry(*row)


def _private(path: Path) -> None:
    """Make an empty file that nobody else can read."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        says = f"The review log {path.name} cannot be made: {error.strerror}. Use a folder that you may write to."
        raise WorkError(says) from None


def _statements(script: str) -> Iterator[str]:
    """Split a script where a statement is complete: `executescript` would commit first."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
