"""Where a run is recorded in MLflow, and under which name its model is registered there."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from diagnosis.training.section import Section

__all__ = ["Tracking"]


def _model_name(value: str) -> str:
    if re.fullmatch(r"[^/:\s](?:[^/:]*[^/:\s])?", value):
        return value
    raise ValueError("a name without a slash or a colon")


def _alias(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", value) and value != "latest" and not re.fullmatch(r"v\d+", value):
        return value
    raise ValueError("letters, digits, - and _, such as champion; not latest, and not v and a number")


class Tracking(Section):
    """Where the run is recorded."""

    uri: str = "sqlite:///mlflow.db"
    """MLflow tracking URI; a relative SQLite path is relative to the working directory."""
    experiment: str = Field(default="diagnosis", min_length=1)
    """Name of the MLflow experiment."""
    registered_model: Annotated[str, AfterValidator(_model_name)] | None = None
    """Name under which the model is registered in MLflow, as its newest version; null: it is not."""
    alias: Annotated[str, AfterValidator(_alias)] | None = None
    """Alias that moves to that version, such as `challenger`, for `models:/NAME@challenger`; null: none."""

    @model_validator(mode="after")
    def _alias_of_something(self) -> Tracking:
        if self.alias and not self.registered_model:
            raise ValueError("an alias only beside `registered_model`, the name of the model it points into")
        return self
