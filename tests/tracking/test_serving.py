"""A model served over HTTP on this machine by MLflow's own command."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.small import small_records

from diagnosis import Case, Diagnoser, Finding, load_diagnoser
from diagnosis.tracking.packaging import write_model

CASE = {"case_id": "001", "age_years": 4, "findings": [{"code": "rash"}, {"code": "cough", "status": "absent"}]}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def folder(services: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    diagnoser = Diagnoser(model="linear", folds=2).fit(small_records(120))
    return write_model(diagnoser, diagnoser.save(place / "bundle"), place / "model")


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    port = _free_port()
    command = ["models", "serve", "-m", str(folder), "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen([sys.executable, "-m", "mlflow", *command], env=environment, start_new_session=True)
    try:
        _wait_for(port, server)
        yield port
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/ping")
                assert connection.getresponse().read() == b"\n"
            except OSError:
                time.sleep(0.2)
            else:
                return
    pytest.fail("the server did not answer within a minute")


def ask(port: int, body: object) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/invocations", text.encode(), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_example_that_lies_with_the_model_is_answered(port: int, folder: Path):
    status, found = ask(port, (folder / "serving_input_example.json").read_text(encoding="utf-8"))
    assert status == 200
    assert [one["case_id"] for one in found["predictions"]] == ["1"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"cases": [CASE]}},
        {"inputs": [CASE]},
        {"dataframe_records": [CASE]},
        {
            "dataframe_records": [
                {"case_id": "001", "code": "rash", "status": "present", "age_years": 4},
                {"case_id": "001", "code": "cough", "status": "absent", "age_years": 4},
            ]
        },
        {
            "inputs": {
                "case_id": ["001", "001"],
                "code": ["rash", "cough"],
                "status": ["present", "absent"],
                "age_years": [4, 4],
            }
        },
        {
            "dataframe_split": {
                "columns": ["case_id", "code", "status", "age_years"],
                "data": [["001", "rash", "present", 4], ["001", "cough", "absent", 4]],
            }
        },
    ],
)
def test_every_shape_gets_one_answer(port: int, folder: Path, body: dict[str, Any]):
    status, found = ask(port, {**body, "params": {"top": 3}})
    assert status == 200
    (one,) = found["predictions"]
    case = Case([Finding("rash"), Finding("cough", "absent")], case_id="001", age_years=4)
    assert one == load_diagnoser(folder).suggest(case, top=3).to_json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": {"cases": [{"age": "Jane-Doe-4711", "findings": []}]}}, "Not among them: age"),
        ({"inputs": {"cases": [{"findings": [{"code": "rash", "status": "Jane-Doe-4711"}]}]}}, "finding 1 of case 1"),
        ({"dataframe_records": [{"patient": "Jane-Doe-4711"}]}, "it has no case_id, code, status"),
        ({"cases": []}, "exactly one of the input fields"),
        ("{", "valid JSON"),
    ],
)
def test_a_wrong_shape_is_status_400_and_says_what_is_wrong(port: int, body: object, said: str):
    status, found = ask(port, body)
    assert status == 400
    assert said in found["message"]
    assert "Jane-Doe-4711" not in json.dumps(found)
