"""Many differentials as one table: what is urgent first, then what is doubtful, each opening its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import InputError
from diagnosis.pages import WorklistRow, render_worklist
from diagnosis.readers.whole_folder import whole_folder

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.suggestions import Differential

__all__ = ["Worklist", "worklist"]

_URGENCIES = ("red_flag", "must_not_miss", "none")


@dataclass(frozen=True, slots=True, eq=False)
class Worklist:
    """Differentials in the order in which they are to be read; shows as a table in a notebook.

    Parameters
    ----------
    differentials : tuple of Differential
        The most urgent first.
    ids : bool
        Whether the tables and pages name the cases.
    """

    differentials: tuple[Differential, ...]
    ids: bool = False

    def __len__(self) -> int:
        return len(self.differentials)

    def __iter__(self) -> Iterator[Differential]:
        return iter(self.differentials)

    def __getitem__(self, place: int) -> Differential:
        return self.differentials[place]

    def __repr__(self) -> str:
        counts = [sum(urgency(one) == name for one in self) for name in _URGENCIES[:2]]
        return f"<Worklist of {len(self):,} cases: {counts[0]:,} with a red flag, {counts[1]:,} not to be missed>"

    def _repr_html_(self) -> str:
        return self.to_html(fragment=True)

    def to_html(self, lang: str = "en", *, fragment: bool = False) -> str:
        """Return the table as one HTML file, or as an element for a notebook."""
        return self._html(lang, None, fragment)

    def frame(self) -> pd.DataFrame:
        """Return the table: urgency, first suggestion and its probability, size of the set, doubt, a row a case."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "case_id": one.case_id,
                "urgency": urgency(one),
                "diagnosis": one.ranked[0].diagnosis if one.ranked else None,
                "probability": one.ranked[0].probability if one.ranked else float("nan"),
                "n_set": len(one.set),
                "abstained": one.abstained,
                "doubt": doubt(one),
            }
            for one in self
        ]
        columns = ["case_id", "urgency", "diagnosis", "probability", "n_set", "abstained", "doubt"]
        return pd.DataFrame(rows, columns=columns)

    def save(self, folder: str | Path, lang: str = "en") -> Path:
        """Write the table as ``index.html`` and each case's page beside it: a folder, whole or not at all.

        Parameters
        ----------
        folder : str or path
            New or empty; readable by its owner alone.
        lang : {"en", "zh"}

        Returns
        -------
        Path
            Of ``index.html``.

        Raises
        ------
        InputError
            There is something in the folder.
        """
        target = Path(folder)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError("a new or empty folder for the worklist", f"{target.name} holds something", "name another")
        names = [f"cases/{place:05d}.html" for place in range(1, len(self) + 1)]  # ids may be hostile file names
        with whole_folder(target) as made:
            (made / "cases").mkdir()
            for name, one in zip(names, self, strict=True):
                (made / name).write_text(one.to_html(lang=lang), encoding="utf-8")
            (made / "index.html").write_text(self._html(lang, names, False), encoding="utf-8")
        return target / "index.html"

    def _html(self, lang: str, hrefs: Sequence[str] | None, fragment: bool) -> str:
        rows = [
            _row(one, self.ids, None if hrefs is None else hrefs[place]) for place, one in enumerate(self.differentials)
        ]
        synthetic = any(one.records.info.get("synthetic") for one in self)
        return render_worklist(rows, lang, fragment=fragment, synthetic=synthetic)


def worklist(differentials: Iterable[Differential], *, ids: bool = False) -> Worklist:
    """Put differentials in the order in which a clinician should read them.

    Red flags come first, then what the must-not-miss policy raised, then the others; among equals those on which the
    model abstains, then the ones with the lowest first probability.

    Parameters
    ----------
    differentials : iterable of Differential
        ``diagnoser.suggest(records)``.
    ids : bool
        Name the cases by their id; by default they are numbered, and nothing identifies a patient.
    """
    given = list(differentials)
    order = sorted(
        range(len(given)),
        key=lambda i: (_URGENCIES.index(urgency(given[i])), not given[i].abstained, -doubt(given[i]), i),
    )
    return Worklist(tuple(given[i] for i in order), ids)


def urgency(differential: Differential) -> str:
    """Return ``red_flag``, ``must_not_miss`` or ``none``."""
    if any(flag.kind == "red_flag" for flag in differential.flags):
        return "red_flag"
    return "must_not_miss" if differential.must_not_miss else "none"


def doubt(differential: Differential) -> float:
    """Return how far the first suggestion is from certain: 1 - its probability."""
    return 1.0 - differential.ranked[0].probability if differential.ranked else 1.0


def _row(one: Differential, ids: bool, href: str | None) -> WorklistRow:
    words = one.records.vocabulary
    names = {s.diagnosis: _both(words, s.diagnosis) for s in one.ranked}
    level = urgency(one)
    if level == "red_flag":
        red = [flag for flag in one.flags if flag.kind == "red_flag"]
        urgent = tuple({"en": flag.rule, "zh": str(flag.values.get("says_zh") or flag.rule)} for flag in red)
    else:
        urgent = tuple(names.get(code) or _both(words, code) for code in one.must_not_miss)
    years, days, sex = (one.records.column(name)[0] for name in ("age_years", "age_days", "sex"))
    return WorklistRow(
        label=one.case_id if ids else None,
        href=href,
        age_years=None if years != years else float(years),
        age_days=None if days != days else float(days),
        sex=sex,
        urgency=level,
        urgent=urgent,
        first=names[one.ranked[0].diagnosis] if one.ranked else None,
        probability=one.ranked[0].probability if one.ranked else None,
        n_set=len(one.set),
        abstained=one.abstained,
        n_flags=sum(flag.kind not in ("red_flag", "must_not_miss") for flag in one.flags),
    )


def _both(words: Any, code: str) -> dict[str, str]:
    return {lang: words.diagnosis_name(code, lang) for lang in ("en", "zh")}
