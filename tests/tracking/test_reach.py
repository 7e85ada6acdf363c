"""What cannot be tracked to is said in seconds."""

from __future__ import annotations

import http.server
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from diagnosis.errors import ConfigError, WorkError
from diagnosis.tracking import check_reachable
from diagnosis.tracking.reach import sqlite_file


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:///tmp/mlruns", "ftp://x", "", "databricks"])
def test_kinds_that_are_not_taken(uri):
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        check_reachable(uri)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_sqlite_without_a_file(uri):
    with pytest.raises(ConfigError, match="names no file"):
        check_reachable(uri)


def test_sqlite_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        check_reachable(f"sqlite:///{tmp_path}/none/mlflow.db")


def test_sqlite_that_is_something_else(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        check_reachable(f"sqlite:///{tmp_path}/mlflow.db")


def test_sqlite_that_is_there_or_can_be_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_reachable("sqlite:///mlflow.db")
    assert not Path("mlflow.db").exists()
    sqlite3.connect("mlflow.db").close()
    check_reachable("sqlite:///mlflow.db")
    assert sqlite_file("sqlite:///a%20b.db?x=1") == Path("a b.db")
    assert sqlite_file("http://x/y") is None


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{}", "postgresql+psycopg2://me:secret@127.0.0.1:{}/mlflow"])
def test_nothing_answers(uri):
    with pytest.raises(WorkError, match="must answer before training starts") as caught:
        check_reachable(uri.format(closed_port()))
    assert "secret" not in str(caught.value)


def test_a_database_server_that_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_reachable(f"postgresql://127.0.0.1:{server.getsockname()[1]}/mlflow")
    check_reachable("postgresql:///mlflow")  # over a local socket; left to the driver


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_server_that_answers_whatever_it_says(status):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        check_reachable(f"http://127.0.0.1:{server.server_port}")
        thread.join()
