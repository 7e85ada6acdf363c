"""What a model's options say of findings, as columns of the matrix: body systems, and findings that may be cardinal."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.models import HybridModel
from diagnosis.models.protocol import Model
from diagnosis.vocabulary import Vocabulary

__all__ = ["absence_columns", "body_systems", "with_columns"]


def with_columns(model: Model, encoder: FindingEncoder, words: Vocabulary) -> Model:
    """Return an unfitted model whose options name columns where they spoke of findings; others as they are."""
    if not isinstance(model, HybridModel):
        return model
    found: dict[str, Any] = {}
    if isinstance(model.interactions, str) and model.interactions == "body_system":
        found["interactions"] = body_systems(encoder, words)
    if isinstance(model.monotone, str) and model.monotone == "cardinal":
        found["monotone"] = absence_columns(encoder)
    made: Model = clone(model).set_params(**found) if found else model
    return made


def body_systems(encoder: FindingEncoder, words: Vocabulary) -> list[list[int]]:
    """Return the columns of each body system, those of the context (age, sex) in each; sorted by the system's name.

    A finding without a body system stands alone with the context.

    Raises
    ------
    InputError
        No finding of the encoder has a body system.
    """
    lineage = encoder.lineage_
    of_key = lineage.context[lineage.finding]
    context = [int(column) for column in range(len(lineage)) if of_key[column]]
    groups: dict[tuple[int, str], list[int]] = {}
    for column in range(len(lineage)):
        if of_key[column]:
            continue
        key = int(lineage.finding[column])
        term = words.findings.get(str(lineage.key_code[key]))
        system = term.fields.get("body_system") if term else None
        name = (1, str(system)) if system is not None else (0, str(lineage.keys[key]))
        groups.setdefault(name, []).append(column)
    if not any(has for has, _ in groups):
        raise InputError(
            "interactions by body system", "no finding has one", "fill `body_system` in the vocabulary, or use all"
        )
    return [[*context, *groups[name]] for name in sorted(groups)]


def absence_columns(encoder: FindingEncoder) -> list[tuple[int, int]]:
    """Return the columns of *present* and *absent* of each finding of the patient that has both."""
    lineage = encoder.lineage_
    at: dict[int, dict[str, int]] = {}
    for column in range(len(lineage)):
        key, state = int(lineage.finding[column]), str(lineage.state[column])
        if state in ("present", "absent") and lineage.key_subject[key] is None and not lineage.context[key]:
            at.setdefault(key, {})[state] = column
    return [(both["present"], both["absent"]) for both in at.values() if len(both) == 2]
