"""Many differentials as one table: what is urgent first, then what is doubtful, each opening its page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from joblib import Parallel, delayed, effective_n_jobs

from diagnosis.errors import InputError, WorkError
from diagnosis.pages import Reveal, WorklistRow, check_reveal, render_worklist
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.records.case import unnamed_number

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.suggestions import Differential

__all__ = ["Worklist", "worklist"]

_UNNAMED = "case"
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
    withheld : frozenset of int
        Places, from 0, of the cases that are shown without suggestions, by choice.
    names : tuple of str
        What the tables call each case; its id where there are none.
    """

    differentials: tuple[Differential, ...]
    ids: bool = False
    withheld: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()

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

    def to_html(self, lang: str = "en", *, fragment: bool = False, reveal: Reveal = "at_once") -> str:
        """Return the table as one HTML file, or as an element for a notebook; `reveal` as in `save`."""
        return self._html(lang, None, fragment, reveal)

    def page(
        self,
        place: int,
        lang: str = "en",
        *,
        fragment: bool = False,
        questions: int = 0,
        reveal: Reveal | Literal["not_yet"] = "at_once",
    ) -> str:
        """Return the page of one case, by its place from 0; without suggestions where they are withheld.

        ``not_yet`` gives the record and the flags of rules alone, for a form that asks first.
        """
        from diagnosis.pages import render_case, without_list
        from diagnosis.suggestions.case_page import page_of

        if place in self.withheld:
            return render_case(without_list(page_of(self[place], questions=0), "withheld"), lang, fragment)
        if reveal == "not_yet":
            return render_case(without_list(page_of(self[place], questions=0), "not_yet"), lang, fragment)
        return render_case(page_of(self[place], questions=questions, reveal=reveal), lang, fragment)

    def frame(self) -> pd.DataFrame:
        """Return the table: urgency, first suggestion and its probability, size of the set, doubt, a row a case."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "case_id": self._name(place),
                "urgency": urgency(one),
                "diagnosis": one.ranked[0].diagnosis if one.ranked else None,
                "probability": one.ranked[0].probability if one.ranked else float("nan"),
                "n_set": len(one.set),
                "abstained": one.abstained,
                "doubt": doubt(one),
                "withheld": place in self.withheld,
            }
            for place, one in enumerate(self)
        ]
        columns = ["case_id", "urgency", "diagnosis", "probability", "n_set", "abstained", "doubt", "withheld"]
        return pd.DataFrame(rows, columns=columns)

    def save(
        self,
        folder: str | Path,
        lang: str = "en",
        *,
        questions: int = 0,
        reveal: Reveal = "at_once",
        n_jobs: int = 1,
    ) -> Path:
        """Write the table as ``index.html`` and each case's page beside it: a folder, whole or not at all.

        Parameters
        ----------
        folder : str or path
            New or empty; readable by its owner alone.
        lang : {"en", "zh"}
        questions : int
            How many answers that would change the list each page names; they take about as long as the rest of it.
        reveal : {"at_once", "after_answer"}
            ``after_answer``: on each page what the model says is folded away until the reader has written an own first
            idea, and the table names no suggestion. Red flags by rule are always shown.
        n_jobs : int
            Processes that write pages at once; -1: one a core. Each gets a copy of the model first: for many cases.

        Returns
        -------
        Path
            Of ``index.html``.

        Raises
        ------
        InputError
            There is something in the folder.
        UnknownNameError
            Another `reveal`, or a language that the pages do not speak.
        WorkError
            The folder cannot be written.
        """
        check_reveal(reveal)
        target = Path(folder)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError("a new or empty folder for the worklist", f"{target.name} holds something", "name another")
        names = [f"cases/{place:05d}.html" for place in range(1, len(self) + 1)]  # ids may be hostile file names
        try:
            with whole_folder(target) as made:
                (made / "cases").mkdir()
                self._write(made, names, lang, questions, reveal, n_jobs)
                (made / "index.html").write_text(self._html(lang, names, False, reveal), encoding="utf-8")
        except OSError as error:
            says = (
                f"The worklist {target.name} cannot be written: {error.strerror}. Use a folder that you may write to."
            )
            raise WorkError(says) from None
        return target / "index.html"

    def _write(self, made: Path, names: Sequence[str], lang: str, questions: int, reveal: Reveal, n_jobs: int) -> None:
        step = max(1, -(-len(names) // effective_n_jobs(n_jobs)))
        write = delayed(_write_pages)
        Parallel(n_jobs)(
            write(made, self._part(start, step), names[start : start + step], lang, questions, reveal)
            for start in range(0, len(names), step)
        )

    def _part(self, start: int, n: int) -> Worklist:
        """Return `n` cases from a place on, those withheld still withheld."""
        held = frozenset(place - start for place in self.withheld if start <= place < start + n)
        return Worklist(self.differentials[start : start + n], self.ids, held, self.names[start : start + n])

    def _name(self, place: int) -> str:
        return self.names[place] if self.names else self[place].case_id

    def _html(self, lang: str, hrefs: Sequence[str] | None, fragment: bool, reveal: Reveal) -> str:
        folded = check_reveal(reveal) == "after_answer"
        labels = [self._name(place) if self.ids else None for place in range(len(self))]
        rows = [_row(one, labels[place], None if hrefs is None else hrefs[place]) for place, one in enumerate(self)]
        rows = [_quiet(row, place in self.withheld, folded) for place, row in enumerate(rows)]
        synthetic = any(one.records.info.get("synthetic") for one in self)
        return render_worklist(rows, lang, fragment=fragment, synthetic=synthetic, folded=folded)


def worklist(
    differentials: Iterable[Differential], *, ids: bool = False, withhold: float = 0.0, seed: int = 0
) -> Worklist:
    """Put differentials in the order in which a clinician should read them.

    Red flags come first, then what the must-not-miss policy raised, then the others; among equals those on which the
    model abstains, then the ones with the lowest first probability.

    Parameters
    ----------
    differentials : iterable of Differential
        ``diagnoser.suggest(records)``.
    ids : bool
        Name the cases by their id; by default they are numbered, and nothing identifies a patient. Cases by hand that
        were given no name and would all be called alike are named ``case 1``, ``case 2`` ... as they come here.
    withhold : float
        Share of the cases that are shown without suggestions, so that what readers find by themselves stays known; from
        0 to 1. Drawn among those without a red flag and without a must-not-miss diagnosis: nothing urgent is kept
        back.
    seed : int
        The same cases and seed give the same draw, in whatever order they come.

    Raises
    ------
    InputError
        A share below 0 or above 1.
    """
    if not 0 <= withhold <= 1:
        raise InputError("withhold is a share from 0 to 1", f"found {withhold}", "give 0.1 for one case in ten")
    given = list(differentials)
    order = sorted(
        range(len(given)),
        key=lambda i: (_URGENCIES.index(urgency(given[i])), not given[i].abstained, -doubt(given[i]), i),
    )
    ordered = tuple(given[i] for i in order)
    names = _names([one.case_id for one in given])
    return Worklist(ordered, ids, _drawn(ordered, withhold, seed), tuple(names[i] for i in order))


def _names(ids: Sequence[str]) -> list[str]:
    """Number the cases without a name of their own where two of them would be called alike."""
    unnamed = [one for one in ids if unnamed_number(one) is not None]
    if len(set(unnamed)) == len(unnamed):
        return list(ids)
    return [f"{_UNNAMED} {n}" if unnamed_number(one) is not None else one for n, one in enumerate(ids, start=1)]


def _write_pages(folder: Path, part: Worklist, names: Sequence[str], lang: str, questions: int, reveal: Reveal) -> None:
    for place, name in enumerate(names):
        page = part.page(place, lang, questions=questions, reveal=reveal)
        (folder / name).write_text(page, encoding="utf-8")


def _drawn(ordered: Sequence[Differential], share: float, seed: int) -> frozenset[int]:
    """Draw places by a hash of seed and case, so that the draw hangs on no order."""
    calm = [place for place, one in enumerate(ordered) if urgency(one) == "none"]
    lots = {p: hashlib.sha256(f"{seed}\n{ordered[p].case_id}".encode()).digest() for p in calm}
    return frozenset(sorted(calm, key=lambda p: (lots[p], p))[: round(share * len(calm))])


def urgency(differential: Differential) -> str:
    """Return ``red_flag``, ``must_not_miss`` or ``none``."""
    if any(flag.kind == "red_flag" for flag in differential.flags):
        return "red_flag"
    return "must_not_miss" if differential.must_not_miss else "none"


def doubt(differential: Differential) -> float:
    """Return how far the first suggestion is from certain: 1 - its probability."""
    return 1.0 - differential.ranked[0].probability if differential.ranked else 1.0


def _row(one: Differential, label: str | None, href: str | None) -> WorklistRow:
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
        label=label,
        href=href,
        age_years=None if years != years else float(years),
        age_days=None if days != days else float(days),
        sex=sex,
        urgency=level,
        urgent=urgent,
        first=names[one.ranked[0].diagnosis] if one.ranked else None,
        probability=one.ranked[0].probability if one.ranked else None,
        other=one.other if one.other is not None and one.other > 1 - doubt(one) else None,
        n_set=len(one.set),
        abstained=one.abstained,
        n_flags=sum(flag.kind not in ("red_flag", "must_not_miss") for flag in one.flags),
    )


def _quiet(row: WorklistRow, withheld: bool, folded: bool) -> WorklistRow:
    """Take from a row what the model says: where it is withheld, and where it waits on the case's page."""
    if not (withheld or folded):
        return row
    urgent = row.urgent if row.urgency == "red_flag" else ()
    bare = replace(row, urgent=urgent, first=None, probability=None, other=None, n_set=0, abstained=False, n_flags=0)
    return replace(bare, withheld=withheld)


def _both(words: Any, code: str) -> dict[str, str]:
    return {lang: words.diagnosis_name(code, lang) for lang in ("en", "zh")}
