"""`ReviewLog`: the reviewers' answers, none lost and none changed unnoticed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from diagnosis.errors import InputError, UnknownCodeError
from diagnosis.records.case import unnamed_number
from diagnosis.review import store
from diagnosis.review.agreement import ReviewAgreement, agreement_of
from diagnosis.review.answer import Review, Verdict, checked_review
from diagnosis.review.answer_file import number_of, read_answer
from diagnosis.review.chain import ChainCheck, head_of, verify_chain
from diagnosis.review.labels import with_reviews
from diagnosis.review.packet import matching

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records import Records
    from diagnosis.suggestions import Differential

__all__ = ["ReviewLog"]


class ReviewLog:
    """The answers of reviewers to suggested differentials, in one file that only grows.

    The file is SQLite in WAL mode, readable by its owner alone. Each row is chained to the one before by a hash, so
    that a changed or missing row is found by `verify`; a tail that was cut off is found with the `head` that was kept
    elsewhere. An answer that `add` returned is on the disk. Several processes may write at once.

    Parameters
    ----------
    path : str or path
        Made if it is not there.
    wait : float
        Seconds to wait for another program that is writing.

    Raises
    ------
    InputError
        A file of another kind, or no such folder.
    WorkError
        The file cannot be written.
    """

    def __init__(self, path: str | Path, *, wait: float = 10.0) -> None:
        self.path = Path(path)
        self.wait = wait
        store.opened(self.path, wait)

    def __repr__(self) -> str:
        return f"<ReviewLog {self.path.name}: {len(self):,} rows>"

    def __len__(self) -> int:
        last = store.last(self.path, self.wait)
        return 0 if last is None else last.seq

    def __iter__(self) -> Iterator[Review]:
        return iter(self.reviews())

    def add(
        self,
        differential: Differential,
        *,
        reviewer: str,
        verdict: Verdict,
        diagnosis: str | None = None,
        diagnosis_text: str = "",
        first_idea: str | None = None,
        revealed: datetime | bool = True,
        basis: str | None = None,
        reason: str = "",
        comment: str = "",
        seconds: float | None = None,
    ) -> Review:
        """Keep one answer; when this returns it is on the disk.

        Parameters
        ----------
        differential : Differential
            The list as it was shown.
        reviewer : str
        verdict : {"agree", "other", "cannot_say"}
            With the first of the list, with another diagnosis, or neither. Where the list was never revealed, ``other``
            names what the reviewer found, and is kept as ``agree`` where that is the first of the list.
        diagnosis, first_idea : str, optional
            By code or name: what it is, and what it was taken for before the list was revealed.
        diagnosis_text : str
            The diagnosis in free words, where the vocabulary has none; it never becomes a label.
        revealed : datetime or bool
            When the list was revealed (with a time zone); True: from the beginning; False: never.
        basis : str, optional
            What the answer rests on, as in the table `labels`.
        reason, comment : str
            Why the list was overridden; anything else.
        seconds : float, optional
            Time spent.

        Returns
        -------
        Review
            As it was stored, with its time and place in the log.

        Raises
        ------
        InputError
            An answer that does not say what an answer must, or one about a case by hand that was given no name, where
            the log holds another such case.
        UnknownCodeError
            A diagnosis that neither the vocabulary nor the model knows, with the nearest.
        WorkError
            The file is held by another program or cannot be written; nothing was stored.
        """
        shown = tuple((one.diagnosis, one.probability) for one in differential.ranked)
        if verdict == "agree" and diagnosis is None and shown:
            diagnosis = shown[0][0]
        when = revealed if isinstance(revealed, datetime) else datetime.now(UTC) if revealed else None
        code = _code(differential, diagnosis)
        if when is None and verdict == "other" and shown and code == shown[0][0]:
            verdict = "agree"  # found without the list: the reviewer could not know
        record = differential.records.digest()
        self._check_name(differential, record)
        review = Review(
            reviewer=reviewer,
            case_id=differential.case_id,
            model=differential.model,
            record=record,
            shown=shown,
            verdict=verdict,
            diagnosis=code,
            diagnosis_text=diagnosis_text,
            first_idea=_code(differential, first_idea),
            revealed=None if when is None else when.isoformat(),
            basis=basis,
            reason=reason,
            comment=comment,
            seconds=seconds,
        )
        values = checked_review(review).to_json()
        entry = store.add(self.path, self.wait, "review", values)
        return Review.from_json({**values, "time": entry.time, "seq": entry.seq})

    def _check_name(self, one: Differential, record: str) -> None:
        """Refuse a second case without a name of its own: it would be taken for the first one."""
        if _is_unnamed(one) and any(r.case_id == one.case_id and r.record != record for r in self.reviews()):
            raise InputError(
                "a case with a name of its own",
                "it was given none, and the log holds another record without one",
                "name each case, Case(..., case_id=...), and ask about it again",
            )

    def merge(self, answer: str | Path, differentials: Iterable[Differential]) -> Review:
        """Keep the answer to a consultation packet that came back as a file.

        Parameters
        ----------
        answer : str or path
            The filled-in ``answer.yaml``.
        differentials : iterable of Differential
            The one that the packet was made of among them.

        Raises
        ------
        InputError
            A file that is no answer, an answer to another case, one that was merged before, or one about a case whose
            answers were redacted.
        UnknownCodeError
            A diagnosis that neither the vocabulary nor the model knows.
        """
        form = read_answer(answer)
        given = dict(form.values)
        minutes = given.pop("minutes")
        packet = f"packet {form.packet} {form.proof}"
        if any(one.comment.endswith(packet) for one in self.reviews()):
            raise InputError("an answer that is not in the log yet", "this one was merged before", "nothing is to do")
        one = matching(form.proof, differentials)
        if self._is_redacted(one):
            found = "what the log held about it was redacted, and would come back"
            raise InputError("an answer about a case that the log may hold", found, "keep the answer out of the log")
        return self.add(
            one,
            reviewer=given["reviewer"] or "",
            verdict=cast("Verdict", given["verdict"]),
            diagnosis=given["diagnosis"],
            diagnosis_text=given["diagnosis_text"] or "",
            first_idea=given["first_idea"],
            basis=given["basis"],
            reason=given["reason"] or "",
            comment=f"{given['comment'] or ''}\n{packet}".lstrip(),
            seconds=None if minutes is None else 60 * number_of(minutes),
        )

    def _is_redacted(self, one: Differential) -> bool:
        """Whether answers about this very record were taken out."""
        rows = (e for e in store.entries(self.path, self.wait) if e.kind == "redaction" and e.content is not None)
        about = [mark for row in rows for mark in json.loads(row.content or "").get("about", ())]
        record = one.records.digest() if about else ""
        return any(store.sealed(one.case_id, record, mark.partition("-")[0]) == mark for mark in about)

    def reviews(self) -> list[Review]:
        """Return every answer that was not redacted, the first one first."""
        rows = (e for e in store.entries(self.path, self.wait) if e.kind == "review" and e.content is not None)
        return [Review.from_json(json.loads(row.content or "")) for row in rows]

    def frame(self) -> pd.DataFrame:
        """Return the answers as a table, a row an answer."""
        import pandas as pd

        columns = list(Review.__dataclass_fields__)
        return pd.DataFrame([one.to_json() for one in self.reviews()], columns=columns).set_index("seq")

    def agreement(self) -> ReviewAgreement:
        """Compare reviewers with the model and with each other, by each one's last answer to a case."""
        return agreement_of(self.reviews())

    def to_records(self, records: Records) -> Records:
        """Return the records with the answers about their cases added to the table `labels`.

        What a reviewer clicked is not truth: only a diagnosis with the basis laboratory, microbiology, imaging,
        pathology, genetic or follow_up becomes a confirmed one that training and evaluation take. Every row says
        whether the list was in view (`saw_model`). A principal diagnosis that `cases` already holds stays.
        """
        return with_reviews(records, self.reviews())

    def head(self) -> str:
        """Return a digest of the log so far; keep it elsewhere and give it to `verify` later."""
        return head_of(store.last(self.path, self.wait))

    def verify(self, head: str | None = None) -> ChainCheck:
        """Check that no row was changed or taken out and, with a `head` kept elsewhere, that no tail was cut off.

        Raises
        ------
        InputError
            A head that is none.
        """
        return verify_chain(store.entries(self.path, self.wait), head)

    def redact(self, case_ids: str | Sequence[str], reason: str) -> int:
        """Remove what the log holds about these cases, for a person who asks for it; the chain still verifies.

        A row is added that says which rows were emptied and why. The content is overwritten in the file; copies of
        the file elsewhere are yours to find.

        Returns
        -------
        int
            How many answers were removed.
        """
        wanted = [case_ids] if isinstance(case_ids, str) else list(case_ids)
        entry = store.redact(self.path, self.wait, wanted, reason)
        return 0 if entry is None else len(json.loads(entry.content or "{}")["rows"])


def _is_unnamed(one: Differential) -> bool:
    """Whether it is a case by hand that was given no name; several at once were numbered."""
    numbered = unnamed_number(one.case_id)
    return numbered == 0 or (numbered is not None and one.records.column("patient_id")[0] is None)


def _code(differential: Differential, diagnosis: str | None) -> str | None:
    """Return the code of a diagnosis that the model or the vocabulary knows by code or name."""
    if diagnosis is None:
        return None
    known = [str(code) for code in differential.diagnoser.codes(differential.reading)]
    if diagnosis in known:
        return diagnosis
    words = differential.records.vocabulary
    try:
        return words.resolve_diagnosis(diagnosis, known=known)
    except UnknownCodeError as error:
        raise UnknownCodeError(
            "an answer names a diagnosis by code or name",
            "neither the vocabulary nor the model knows it",
            "use one that is known, or give it in free words with diagnosis_text=",
            codes=[diagnosis],
            near=error.near,
        ) from None
