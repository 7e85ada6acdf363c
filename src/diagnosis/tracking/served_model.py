"""The model that MLflow loads and serves: a bundle behind `predict`, which answers as `diagnosis suggest` does."""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import PythonModel

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser
from diagnosis.suggestions.bundle import load_bundle
from diagnosis.tracking.served_input import asked

__all__ = ["InputRefused", "ServedDiagnoser", "answers"]

_CHUNK = 500


class InputRefused(MlflowException):  # type: ignore[misc,unused-ignore]
    """What a model was sent cannot be answered: status 400, with what is wrong and what to send.

    MLflow's server puts the whole request into an error's message; here the message stays as it was made, so that no
    finding of a patient stands in it.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        super().__init__(said, error_code=BAD_REQUEST)

    @property
    def message(self) -> str:
        """What is wrong."""
        return self._said

    @message.setter
    def message(self, text: str) -> None:
        pass


class ServedDiagnoser(PythonModel):  # type: ignore[misc,unused-ignore]
    """A saved diagnoser as an MLflow model.

    `predict` takes a table of findings or cases as JSON (see `served_input.asked`), and returns a list with one mapping
    a case: the line of ``diagnosis suggest --format jsonl``. Parameters: `top`, `reading`, and `explain` (adds
    `explained`, what speaks for and against, as ``diagnosis explain --json`` writes it).
    """

    def load_context(self, context: Any) -> None:
        """Read the bundle; every file is checked before anything of it is used."""
        self.diagnoser = load_bundle(context.artifacts["bundle"])
        self.diagnoser.fingerprint  # noqa: B018 - computed once, here, and not in the first answer

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Answer every case, in the order in which they came."""
        given = params or {}
        try:
            return answers(
                self.diagnoser,
                model_input,
                top=given.get("top"),
                reading=given.get("reading") or None,
                explain=bool(given.get("explain")),
            )
        except InputError as error:
            raise InputRefused(str(error)) from None


def answers(
    diagnoser: Diagnoser, given: object, *, top: int | None = None, reading: str | None = None, explain: bool = False
) -> list[dict[str, Any]]:
    """Answer a table of findings or cases as JSON.

    Parameters
    ----------
    diagnoser : Diagnoser
    given : object
        As `served_input.asked` takes it.
    top : int, optional
    reading : {"posterior", "differential"}, optional
    explain : bool

    Returns
    -------
    list of dict
        As `Differential.to_json`, one a case.
    """
    cases = asked(given, diagnoser.vocabulary_)
    # A window looks back at a patient's other encounters, so all cases stay together then.
    step = max(len(cases), 1) if diagnoser.encoder_.windows or not isinstance(cases, Records) else _CHUNK
    made: list[dict[str, Any]] = []
    for start in range(0, len(cases), step):
        some = diagnoser.suggest(cases[start : start + step], top=top, reading=reading)  # type: ignore[arg-type]
        made += [one.to_json() | ({"explained": one.explain().to_json()} if explain else {}) for one in some]
    return made
