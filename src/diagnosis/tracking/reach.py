"""Whether a tracking URI can be used, found out in seconds and before any training.

MLflow itself retries an address that does not answer for minutes.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from diagnosis.errors import ConfigError, WorkError

__all__ = ["check_reachable", "sqlite_file", "without_password"]

_SECONDS = 5.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check_reachable(uri: str) -> None:
    """Raise if an MLflow tracking URI cannot be used now.

    Raises
    ------
    ConfigError
        If the URI is of a kind that is not supported, or its SQLite file cannot be made or read.
    WorkError
        If nothing answers at its address.
    """
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme == "sqlite":
        _check_sqlite(sqlite_file(uri), uri)
    elif scheme in ("http", "https"):
        _check_http(uri)
    elif scheme in _PORTS:
        _check_socket(uri, scheme)
    else:
        raise ConfigError(
            "tracking.uri must be sqlite:///FILE, http(s)://SERVER, or a postgresql, mysql or mssql address",
            f"It is {without_password(uri)!r}",
            "Use sqlite:///mlflow.db (MLflow no longer writes plain folders), or tracking: null for none.",
        )


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite URI, or None where it is no such URI or stays in memory."""
    if urlsplit(uri).scheme.partition("+")[0] != "sqlite":
        return None
    name = unquote(uri.partition(":///")[2].partition("?")[0])
    return Path(name) if name and name != ":memory:" else None


def _check_sqlite(file: Path | None, uri: str) -> None:
    asked = f"tracking.uri {uri} must be a SQLite file that can be written"
    if file is None:
        raise ConfigError(asked, "It names no file", "Write sqlite:///mlflow.db, or four slashes for an absolute path.")
    folder = file.absolute().parent
    if not folder.is_dir():
        raise ConfigError(asked, f"The folder {folder} does not exist", "Make the folder, or give another file.")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise ConfigError(asked, "It cannot be written here", "Give a file in a folder you can write to.")
    if not file.exists():
        return
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_SECONDS)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise ConfigError(asked, f"SQLite says: {error}", "Give another file, or wait until it is free.") from None


def _check_http(uri: str) -> None:
    request = urllib.request.Request(uri.rstrip("/") + "/health")  # noqa: S310 - http(s) only, checked by the caller
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as answer:
        answer.close()  # a server that answers, whatever it says, can be reached
    except OSError as error:
        raise _unreachable(uri, error) from None


def _check_socket(uri: str, scheme: str) -> None:
    parts = urlsplit(uri)
    if not parts.hostname or parts.hostname.startswith("/"):
        return
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[scheme]), timeout=_SECONDS).close()
    except OSError as error:
        raise _unreachable(uri, error) from None


def _unreachable(uri: str, error: OSError) -> WorkError:
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return WorkError(
        f"The MLflow tracking server {without_password(uri)} must answer before training starts. "
        f"It does not: {reason}. "
        "Start it, correct tracking.uri, or train without it (--set tracking=null)."
    )


def without_password(uri: str) -> str:
    """Return a URI as it may be shown."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()
