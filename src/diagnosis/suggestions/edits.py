"""Changing the findings of one case: what was asked for -> which findings, and the case as it would be recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from diagnosis.errors import InputError, UnknownCodeError, nearest
from diagnosis.features import finding_key
from diagnosis.pages.numbers import with_unit
from diagnosis.records import TABLES, Finding, Records

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["Asked", "Change", "changed_records", "changes_of", "recorded_findings"]

#: One finding or several, by code, name or in full.
Asked = str | Finding | Sequence[str | Finding]

_FLIPPED = {"present": "absent", "absent": "present"}
_WORDS = {
    "en": {
        "present": "present",
        "absent": "absent",
        "uncertain": "uncertain",
        None: "not recorded",
        "sign": "{name}: {after} instead of {before}",
        "again": "{name}: {after} if measured again, instead of {before}",
    },
    "zh": {
        "present": "有",
        "absent": "无",
        "uncertain": "不确定",
        None: "未记录",
        "sign": "{name}：{before}改为{after}",
        "again": "{name}：若复测为{after}（原为{before}）",
    },
}


@dataclass(frozen=True, slots=True)
class Change:
    """One finding as it is recorded, and as it would be; None: not recorded.

    Parameters
    ----------
    code : str
        ``subject/CODE`` for another subject than the patient.
    name, name_zh : str
    before, after : Finding or None
    """

    code: str
    name: str
    name_zh: str
    before: Finding | None
    after: Finding | None

    def words(self, lang: str = "en") -> str:
        """The change in words, in English (``en``) or Chinese (``zh``)."""
        words, said = _WORDS[lang], {"name": self.name_zh if lang == "zh" else self.name}
        for side in ("before", "after"):
            said[side] = _in_words(getattr(self, side), lang)
        measured = self.before is not None and self.after is not None and self.after.value is not None
        return words["again" if measured else "sign"].format(**said)

    def after_words(self, lang: str = "en") -> str:
        """What it would be: ``present``, ``38.5 °C``, ``not recorded``."""
        return _in_words(self.after, lang)

    def to_json(self) -> dict[str, Any]:
        """The change as plain values."""
        return {"code": self.code, "before": _plain(self.before), "after": _plain(self.after)}


def _in_words(one: Finding | None, lang: str) -> str:
    if one is None:
        return _WORDS[lang][None]
    if one.value is not None:
        return f"{one.comparator or ''}{with_unit(f'{one.value:g}', one.unit, lang)}".replace("\u00a0", " ")
    return one.text or _WORDS[lang][one.status]


def _plain(one: Finding | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {name: getattr(one, name) for name in ("status", "value", "unit", "text")}


def changes_of(differential: Differential, add: Asked = (), remove: Asked = (), flip: Asked = ()) -> tuple[Change, ...]:
    """Say which findings of a case are to change.

    Parameters
    ----------
    differential : Differential
    add : finding or findings
        By name or code: present. One that the case records is replaced.
    remove, flip : finding or findings
        Recorded ones, by name or code.

    Raises
    ------
    UnknownCodeError
        The model does not know a finding to add, or the case does not record one to remove or to flip.
    InputError
        A finding is named twice, or cannot be flipped.
    """
    there = recorded_findings(differential.records)
    made: list[Change] = []
    for one in _each(add):
        found = _to_add(one, differential)
        key = _key(found)
        made.append(_change(differential, key, there.get(key), found))
    for one in _each(remove):
        key = _recorded(one, differential, there, "remove")
        made.append(_change(differential, key, there[key], None))
    for one in _each(flip):
        key = _recorded(one, differential, there, "flip")
        made.append(_change(differential, key, there[key], _flipped(there[key], key)))
    keys = [change.code for change in made]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise InputError("each finding changed once", f"named twice: {', '.join(twice)}", "name it once")
    return tuple(made)


def recorded_findings(case: Records) -> dict[str, Finding]:
    """The findings of one case that count, by key: of those recorded more than once, the latest."""
    rows, findings = np.flatnonzero(case.coded.latest).tolist(), case.case(0).findings
    return {_key(findings[row]): findings[row] for row in rows}


def changed_records(case: Records, changes: Iterable[Change]) -> Records:
    """The case with its findings changed, all else as it was."""
    new = {change.code: change.after for change in changes}
    schema = pa.schema([(c.name, c.arrow) for c in TABLES["findings"].columns.values() if c.name != "case_id"])
    kept = [one for one in case.case(0).findings if _key(one) not in new]
    added = [one for one in new.values() if one is not None]
    columns = {name: [getattr(one, name) for one in (*kept, *added)] for name in schema.names}
    tables = {name: case.arrow(name) for name in case.names}
    tables["findings"] = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names})
    where = np.zeros(len(kept) + len(added), np.int32)
    return Records(tables, where, info=case.info, vocabulary=case.vocabulary, report=case.report, moment=case.moment)


def _each(asked: Asked) -> Sequence[str | Finding]:
    return [asked] if isinstance(asked, str | Finding) else asked


def _key(one: Finding) -> str:
    return finding_key(one.code, None if one.subject == "patient" else one.subject)


def _change(differential: Differential, key: str, before: Finding | None, after: Finding | None) -> Change:
    words, one = differential.records.vocabulary, before or after
    assert one is not None
    return Change(key, words.name(one.code), words.name(one.code, "zh"), before, after)


def _to_add(asked: str | Finding, differential: Differential) -> Finding:
    given = asked if isinstance(asked, Finding) else Finding(asked)
    lineage, words = differential.diagnoser.encoder_.lineage_, differential.records.vocabulary
    known = {str(code) for code in lineage.key_code[~lineage.context]}
    if given.code not in known:
        try:
            given = replace(given, code=words.resolve(given.code))
        except UnknownCodeError as error:
            if given.code in words.findings:
                raise error
    if given.code not in known:
        names = [words.name(code) for code in known]
        raise UnknownCodeError(
            "asked what a finding would change",
            f"the model does not know {given.code!r}; it knows {len(known)} findings",
            "use one it knows",
            codes=[given.code],
            near=nearest(given.code, [*sorted(known), *sorted(names)]),
        )
    return given


def _recorded(asked: str | Finding, differential: Differential, there: dict[str, Finding], what: str) -> str:
    key = _key(asked) if isinstance(asked, Finding) else asked
    if key in there:
        return key
    words = differential.records.vocabulary
    try:
        code = words.resolve(key)
    except UnknownCodeError:
        code = key
    same = [k for k, one in there.items() if one.code == code]
    if code not in there and len(same) != 1:
        raise UnknownCodeError(
            f"asked to {what} a finding",
            f"the case does not record {key!r}; it records {len(there)} findings",
            "name one it records (``subject/CODE`` for another subject than the patient)",
            codes=[key],
            near=nearest(key, [*there, *(words.name(one.code) for one in there.values())]),
        )
    return code if code in there else same[0]


def _flipped(one: Finding, key: str) -> Finding:
    if one.value is not None or one.status not in _FLIPPED:
        found = "a measured value" if one.value is not None else f"status {one.status}"
        raise InputError(
            "a finding that is present or absent, to flip", f"{key} has {found}", "say with add=Finding(...) what it is"
        )
    if one.status == "absent":
        return replace(one, status="present", interpretation=None)
    # What was said of how it is does not hold for what is not there.
    return replace(
        one, status="absent", text=None, severity=None, interpretation=None, onset_days=None, duration_days=None
    )
