"""The generator's tables as arrays: findings, illnesses with their hidden subtypes and severities, densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from diagnosis.sample.quantities import Quantity, read_quantities
from diagnosis.sample.tables import AGE_BANDS, SEVERITIES, Row, applicable, by_subtype, number, read_table

__all__ = ["OTHER", "Model", "Step", "sample_model"]

OTHER = "OTHER"

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: Step in the log odds of a finding at each severity.
STEP_BY_SEVERITY = np.array([-1.0, 0.0, 1.0])
#: An assumed share is that of the finding itself: how often it is then missed, and how often recorded wrongly.
MISSED, MISTAKEN = 0.1, 0.02
#: Share of pictures that are read as in anybody.
MISREAD = 0.12
#: Share of cases that come with a vague complaint instead of one their illness is known for.
VAGUE = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """One hidden state a case can be in: an illness, one of its subtypes, a severity (arrays, one entry a state)."""

    illness: Ints
    subtype: Ints
    severity: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Everything the generator knows, as arrays.

    Parameters
    ----------
    findings : tuple of rows
        In the order in which they are written.
    yes_no, quantities, choices, derived : tuple of str
        Keys of the findings that are present or absent, measured, one of several pictures, computed from a value.
    share : array of shape (states, yes_no)
        Probability that a finding is present.
    applies : array of shape (bands, 2, yes_no)
        Whether it can be there, or be asked, at this age and sex.
    """

    sites: tuple[Row, ...]
    illnesses: tuple[Row, ...]
    findings: tuple[Row, ...]
    states: Step
    state_share: Floats  # (bands, states), within the illness
    yes_no: tuple[str, ...]
    share: Floats
    volunteered: Floats
    applies: Bools
    quantities: tuple[Quantity, ...]
    choices: tuple[str, ...]
    pictures: tuple[Floats, ...]  # (states, choices) each
    picture_names: tuple[tuple[str, ...], ...]
    complaints: tuple[str, ...]
    complaint_share: Floats  # (bands, 2, subtypes, complaints)
    onset: Floats  # (subtypes, 2): log median, spread

    @property
    def diagnoses(self) -> list[str]:
        """The diagnoses that labels name: the listed ones, then `OTHER`."""
        return [r["code"] for r in self.illnesses if r["hidden"] != "true"] + [OTHER]

    @property
    def label_of_illness(self) -> Ints:
        """Index into `diagnoses` of each illness."""
        listed = self.diagnoses
        return np.array([listed.index(r["code"]) if r["hidden"] != "true" else len(listed) - 1 for r in self.illnesses])


@lru_cache(maxsize=1)
def sample_model() -> Model:
    """Return the model built from the package's tables; built once."""
    illnesses, findings, sites = read_table("diagnoses"), read_table("findings"), read_table("sites")
    subtypes = read_table("subtypes")
    states = _states(illnesses, subtypes)
    yes_no = tuple(f["key"] for f in findings if f["model"] == "yes_no")
    rows = {f["key"]: f for f in findings}
    applies = np.stack([applicable(rows[k]) for k in yes_no], axis=-1)
    complaints = tuple(sorted({r["finding"] for r in read_table("complaints")}, key=yes_no.index))
    choices = tuple(f["key"] for f in findings if f["model"] == "choice")
    names = tuple(tuple(r["choice"] for r in read_table("choices") if r["finding"] == k) for k in choices)
    return Model(
        sites=sites,
        illnesses=illnesses,
        findings=findings,
        states=states,
        state_share=_state_share(illnesses, subtypes, states),
        yes_no=yes_no,
        share=_shares([rows[k] for k in yes_no], subtypes, states),
        volunteered=np.array([number(rows[k], "volunteered") for k in yes_no]),
        applies=applies,
        quantities=read_quantities(subtypes, states.subtype, states.severity, sites),
        choices=choices,
        pictures=tuple(_pictures(k, subtypes, states) for k in choices),
        picture_names=names,
        complaints=complaints,
        complaint_share=_complaints(complaints, subtypes, applies[:, :, [yes_no.index(c) for c in complaints]]),
        onset=np.array([[np.log(float(s["onset_days"])), float(s["onset_spread"])] for s in subtypes]),
    )


def _states(illnesses: Sequence[Row], subtypes: Sequence[Row]) -> Step:
    at = {r["code"]: i for i, r in enumerate(illnesses)}
    subtype = np.repeat(np.arange(len(subtypes)), len(SEVERITIES))
    illness = np.repeat([at[s["diagnosis"]] for s in subtypes], len(SEVERITIES))
    return Step(illness, subtype, np.tile(np.arange(len(SEVERITIES)), len(subtypes)))


def _state_share(illnesses: Sequence[Row], subtypes: Sequence[Row], states: Step) -> Floats:
    """Share of each hidden state within its illness, by age band; all zero where no subtype fits the age."""
    fits = np.stack([applicable(s)[:, 0] for s in subtypes], axis=1)
    share = fits * np.array([float(s["share"]) for s in subtypes])
    severity = np.array([[float(s[v]) for v in SEVERITIES] for s in subtypes])
    severity /= severity.sum(axis=1, keepdims=True)
    joint = share[:, states.subtype] * severity[states.subtype, states.severity]
    total = np.zeros((len(AGE_BANDS), len(illnesses)))
    np.add.at(total.T, states.illness, joint.T)
    whole = total[:, states.illness]
    result: Floats = np.divide(joint, whole, out=np.zeros_like(joint), where=whole > 0)
    return result


def _shares(rows: Sequence[Row], subtypes: Sequence[Row], states: Step) -> Floats:
    otherwise = np.array([float(r["share_otherwise"]) for r in rows])
    share = np.tile(otherwise, (len(subtypes), 1))
    column = {r["key"]: j for j, r in enumerate(rows)}
    test = np.array([r["panel"] != "" for r in rows])
    for (i, key), found in by_subtype("frequencies", subtypes).items():
        j, p = column[key], float(found[-1]["share"])
        assumed = found[-1]["source"] == "assumed" and not test[j]
        share[i, j] = p * (1 - MISSED) + (1 - p) * MISTAKEN if assumed else p
    share = np.clip(share, 0.001, 0.995)
    slope = np.array([number(r, "by_severity") for r in rows])
    odds = np.log(share / (1 - share))[states.subtype] + STEP_BY_SEVERITY[states.severity][:, None] * slope
    result: Floats = 1 / (1 + np.exp(-odds))
    return result


def _pictures(key: str, subtypes: Sequence[Row], states: Step) -> Floats:
    """Probability of each picture by hidden state; what an illness does not name shares the rest as in everybody."""
    rows = [r for r in read_table("choices") if r["finding"] == key]
    names = [r["choice"] for r in rows]
    base = np.array([float(r["share_otherwise"]) for r in rows])
    share = np.tile(base / base.sum(), (len(subtypes), 1))
    for (i, finding), found in by_subtype("pictures", subtypes).items():
        if finding == key:
            last = [r for r in found if r["subtype"]] or found
            named = {names.index(r["choice"]): float(r["share"]) for r in last}
            rest = np.array([0.0 if j in named else b for j, b in enumerate(base)])
            share[i] = rest / rest.sum() * (1 - sum(named.values()))
            for j, p in named.items():
                share[i, j] = p
            share[i] = (1 - MISREAD) * share[i] + MISREAD * base / base.sum()
    result: Floats = np.clip(share, 5e-4, None)
    result = result / result.sum(axis=1, keepdims=True)
    return result[states.subtype]


def _complaints(complaints: Sequence[str], subtypes: Sequence[Row], applies: Bools) -> Floats:
    """Probability of each complaint by age band, sex and subtype; those that do not fit the age or sex left out."""
    share = np.zeros((len(subtypes), len(complaints)))
    vague = np.zeros(len(complaints))
    at = {(s["diagnosis"], s["subtype"]): i for i, s in enumerate(subtypes)}
    for r in read_table("complaints"):
        column, weight = complaints.index(r["finding"]), float(r["share"])
        if r["diagnosis"] == "*":
            vague[column] = weight
        else:
            share[at[r["diagnosis"], r["subtype"]], column] = weight
    share = (1 - VAGUE) * share / share.sum(axis=1, keepdims=True) + VAGUE * vague / vague.sum()
    fitted = share[None, None] * applies[:, :, None, :]
    result: Floats = fitted / fitted.sum(axis=-1, keepdims=True)
    return result
