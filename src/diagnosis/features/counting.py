"""What training has seen of each finding: counts that add up over batches, and the columns that follow from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.columns import FindingColumns
from diagnosis.features.distinct import Distinct, Tally
from diagnosis.features.hierarchy import Hierarchy, inherit
from diagnosis.features.ranges import distances, high_low, without_range
from diagnosis.features.rows import PRESENT, FindingRows, finding_key, map_distinct, map_pairs, unit_text
from diagnosis.features.states import ROW_STATES, row_state
from diagnosis.features.values import ValueScale, far_ends, fit_scale, groups, in_unit, onset_rows, usable
from diagnosis.records.coded import is_blank
from diagnosis.vocabulary.units import convert, ucum_of

Finding = tuple[str, str | None]
_NO_WORDS = (None, None)
COUNTED = (*ROW_STATES, "high", "low", "z")


@dataclass(slots=True, eq=False)
class FindingCounts:
    """Counts of training cases by finding; a case counts once, since one row of each finding counts in it."""

    index: dict[Finding, int] = field(default_factory=dict)
    states: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, len(COUNTED)), np.int64))
    texts: dict[tuple[int, str], int] = field(default_factory=dict)
    units: dict[tuple[int, str | None], int] = field(default_factory=dict)
    values: Tally = field(default_factory=Tally)
    history: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    onsets: Tally = field(default_factory=Tally)
    # Findings of the last part, which the next one mostly has as well, and their numbers.
    _names: Sequence[Finding] = ()
    _numbers: Sequence[int] = ()
    n_unusable: int = 0
    n_without_range: int = 0

    def add_history(self, cases: Mapping[str, NDArray[np.int64]]) -> None:
        """Count cases by window and statistic (``7d:count``), each by finding as `index` numbers them."""
        for name, seen in cases.items():
            before = self.history.get(name, seen[:0])
            self.history[name] = seen + np.pad(before, (0, len(seen) - len(before)))

    def add(self, batch: FindingRows, hierarchy: Hierarchy | None = None) -> None:
        """Count a batch of cases; with a hierarchy, what is implied to be present counts as well."""
        finding = map_pairs(batch, lambda code, subject: self._number((code, subject)))
        implied = None if hierarchy is None else self._implied(batch, finding, hierarchy)
        self._make_room()
        self._add_states(batch, finding)
        if implied is not None:
            self.states[:, PRESENT] += np.bincount(implied, minlength=len(self.states))
        self._add_texts(batch, finding)
        self._add_values(batch, finding)
        rows = onset_rows(batch)
        self.onsets.add(finding[rows], batch.onset[rows])

    def add_states(self, names: Sequence[Finding], cases: NDArray[np.int64]) -> None:
        """Count cases by finding and state (present, absent, uncertain), shape (n_findings, 3)."""
        if names != self._names:
            self._names, self._numbers = names, [self._number(name) for name in names]
        self._make_room()
        self.states[self._numbers, : cases.shape[1]] += cases

    def merge(self, other: FindingCounts) -> None:
        """Count what was counted elsewhere, of other cases, as well."""
        number = [self._number(finding) for finding in other.index]
        self._make_room()
        self.states[number] += other.states[: len(number)]
        for (which, text), n in other.texts.items():
            name = (number[which], text)
            self.texts[name] = self.texts.get(name, 0) + n
        sample = [self.units.setdefault((number[which], unit), len(self.units)) for which, unit in other.units]
        self.values.merge(other.values, sample)
        self.onsets.merge(other.onsets, number)
        for statistic, cases in other.history.items():
            seen = np.zeros(len(self.index), np.int64)
            seen[number[: len(cases)]] = cases
            self.add_history({statistic: seen})
        self.n_unusable += other.n_unusable
        self.n_without_range += other.n_without_range

    def _make_room(self) -> None:
        if len(self.index) > len(self.states):
            grown = np.zeros((max(len(self.index), 2 * len(self.states)), len(COUNTED)), np.int64)
            grown[: len(self.states)] = self.states
            self.states = grown

    def _number(self, finding: Finding) -> int:
        return self.index.setdefault(finding, len(self.index))

    def _implied(self, batch: FindingRows, finding: NDArray[np.int32], hierarchy: Hierarchy) -> NDArray[np.int64]:
        """Findings that are present because a narrower one is, one for each case."""

        def broader(of: Finding) -> list[int]:
            return [self._number((code, of[1])) for code in hierarchy.ancestors(of[0])]

        inherited = inherit(batch, finding, lambda: len(self.index), broader, lambda _: [])
        return inherited.cells(batch.case, len(self.index), PRESENT)[1]

    def _add_states(self, batch: FindingRows, finding: NDArray[np.int32]) -> None:
        n = len(self.states)
        seen = np.bincount(finding * np.int64(len(ROW_STATES)) + row_state(batch), minlength=n * len(ROW_STATES))
        self.states[:, : len(ROW_STATES)] += seen.reshape(n, len(ROW_STATES))
        for position, marked in enumerate(high_low(batch), start=len(ROW_STATES)):
            if not is_blank(marked):
                self.states[:, position] += np.bincount(finding[marked], minlength=n)
        if is_blank(batch.value):
            return
        self.n_without_range += int(np.count_nonzero(without_range(batch)))
        if is_blank(batch.ref_low) or is_blank(batch.ref_high):
            return
        rows, distance = distances(batch)
        self.states[:, -1] += np.bincount(finding[rows[distance.astype(np.float32) != 0]], minlength=n)

    def _add_texts(self, batch: FindingRows, finding: NDArray[np.int32]) -> None:
        if is_blank(batch.text):
            return
        rows = np.flatnonzero((batch.text >= 0) & (batch.status == PRESENT))
        n_texts = len(batch.source.texts)
        for number, here in groups(finding[rows].astype(np.int64) * n_texts + batch.text[rows]):
            which, text = divmod(number, n_texts)
            name = (which, str(batch.source.texts[text]))
            self.texts[name] = self.texts.get(name, 0) + len(here)

    def _add_values(self, batch: FindingRows, finding: NDArray[np.int32]) -> None:
        if is_blank(batch.value):
            return
        valued = batch.valued
        rows = np.flatnonzero(valued & usable(batch.value))
        self.n_unusable += int(np.count_nonzero(valued)) - len(rows)
        n_units = len(batch.source.units) + 1

        def sample(number: int) -> int:
            which, unit = divmod(number, n_units)
            return self.units.setdefault((which, unit_text(batch, unit - 1)), len(self.units))

        number = finding[rows] * np.int64(n_units) + batch.unit[rows] + 1
        self.values.add(map_distinct(number, sample), batch.value[rows])


@dataclass(frozen=True, slots=True)
class Chosen:
    """The findings that get columns, and how many training values could not be used.

    Attributes
    ----------
    findings : tuple of FindingColumns
    n_unconverted : int
        Values in a unit that does not convert, without one where units were mixed, or not finite.
    """

    findings: tuple[FindingColumns, ...]
    n_unconverted: int


def choose_columns(
    counts: FindingCounts,
    *,
    min_cases: int,
    max_codes: int | None,
    left_out: Collection[str],
    words: Mapping[str, tuple[str | None, str | None]],
) -> Chosen:
    """Give a column to what at least `min_cases` training cases have, and keep the `max_codes` most recorded findings.

    Findings recorded equally often are kept in the order of their keys; states in `left_out` get no column. `words`
    gives the unit and the LOINC code that the vocabulary has for each code; without a unit there, values go to the one
    most common in training (`training_units`), and those without a unit are left out where training had several.
    """
    texts = _texts(counts, min_cases)
    values, n_unconverted = _values(counts, min_cases, words)
    onsets = {
        i: fit_scale(sample, "d")
        for i, sample in counts.onsets.samples().items()
        if sample.n >= min_cases and "onset" not in left_out
    }
    recorded = counts.states[:, : len(ROW_STATES)].sum(axis=1)
    candidates = []
    for (code, subject), i in counts.index.items():
        columns = FindingColumns(
            code=code,
            subject=subject,
            states=tuple(
                state
                for state, n in zip(COUNTED, counts.states[i].tolist(), strict=True)
                if n >= min_cases and state not in left_out
            ),
            texts=texts.get(i, ()),
            value=values.get(i),
            unit=words.get(code, _NO_WORDS)[0],
            loinc=words.get(code, _NO_WORDS)[1],
            history=_history(counts, i, min_cases, i in values, left_out),
            onset=onsets.get(i),
        )
        if columns.states or columns.texts or columns.value is not None or columns.onset is not None:
            candidates.append((-int(recorded[i]), finding_key(code, subject), columns))
    candidates.sort(key=lambda candidate: candidate[:2])
    return Chosen(tuple(columns for _, _, columns in candidates[:max_codes]), n_unconverted)


def _history(counts: FindingCounts, i: int, min_cases: int, scaled: bool, left_out: Collection[str]) -> tuple[str, ...]:
    """Windows and statistics of one finding; statistics of values where there is a scale for them."""
    kept = []
    for name, cases in counts.history.items():
        statistic = name.rpartition(":")[2]
        wanted = "measured" not in left_out if statistic == "count" else scaled or statistic in ("present", "absent")
        if wanted and i < len(cases) and cases[i] >= min_cases:
            kept.append(name)
    return tuple(kept)


def _texts(counts: FindingCounts, min_cases: int) -> dict[int, tuple[str, ...]]:
    kept: dict[int, list[str]] = {}
    for (which, text), n in counts.texts.items():
        if n >= min_cases:
            kept.setdefault(which, []).append(text)
    return {which: tuple(sorted(texts)) for which, texts in kept.items()}


def _values(
    counts: FindingCounts, min_cases: int, words: Mapping[str, tuple[str | None, str | None]]
) -> tuple[dict[int, ValueScale], int]:
    samples: dict[int, dict[str | None, Distinct]] = {}
    counted = counts.values.samples()
    for (which, unit), number in counts.units.items():
        samples.setdefault(which, {})[unit] = counted[number]
    codes = [code for code, _ in counts.index]
    scales: dict[int, ValueScale] = {}
    n_unconverted = counts.n_unusable
    for which, by_unit in samples.items():
        stated, loinc = words[codes[which]]
        units = () if stated else training_units({u: s.n for u, s in by_unit.items() if u is not None}, loinc)
        unit = stated or (units[0] if units else None)
        mixed = tuple(sorted(units)) if len(units) > 1 else ()
        sample, n_left = _together(by_unit, unit, loinc, bool(mixed))
        n_unconverted += n_left
        scale = fit_scale(sample, unit, loinc) if sample.n >= min_cases else None
        if scale is not None:
            least, most = far_ends(sample, scale.knee)
            scales[which] = replace(scale, mixed=mixed, least=least, most=most)
    return scales, n_unconverted


def training_units(n_values: Mapping[str, int], loinc: str | None) -> tuple[str, ...]:
    """Return the units of a finding's values as UCUM, most common first; of equally common ones, the first by name.

    Spellings of one unit (``°C``, ``Cel``), and units in which every value is the same number (``10*9/L``,
    ``10*3/uL``), are counted as one, under the name most used.
    """
    by_name: Counter[str] = Counter()
    for unit, n in n_values.items():
        by_name[ucum_of(unit)] += n
    alike: dict[str, Counter[str]] = {}
    for name in sorted(by_name):
        first = next((one for one in alike if _same_numbers(name, one, loinc)), name)
        alike.setdefault(first, Counter())[name] = by_name[name]
    named = [(-sum(n.values()), min(n, key=lambda name: (-n[name], name))) for n in alike.values()]
    return tuple(name for _, name in sorted(named))


def _same_numbers(unit: str, other: str, loinc: str | None) -> bool:
    converted = convert(np.array([0.0, 1.0]), unit, other, loinc)
    return converted is not None and bool(np.allclose(converted, [0.0, 1.0], rtol=1e-9, atol=1e-9))


def _together(
    by_unit: dict[str | None, Distinct], unit: str | None, loinc: str | None, mixed: bool
) -> tuple[Distinct, int]:
    """Put the values given in several units into one sample, and count those that cannot be converted."""
    values, counts, n_left = [np.empty(0)], [np.empty(0, np.int64)], 0
    for given, sample in by_unit.items():
        converted = None if mixed and given is None else in_unit(sample.values, given, unit, loinc)
        if converted is None:
            n_left += sample.n
            continue
        fine = usable(converted)
        n_left += int(sample.counts[~fine].sum())
        values.append(converted[fine])
        counts.append(sample.counts[fine])
    return Distinct.of(np.concatenate(values), np.concatenate(counts)), n_left
