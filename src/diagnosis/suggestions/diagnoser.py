"""`Diagnoser`: an ordinary scikit-learn classifier over records that answers with differentials."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from diagnosis.errors import InputError, nearest
from diagnosis.explanation import Evidence, explain_case
from diagnosis.features import FindingEncoder
from diagnosis.models.batch import Batch
from diagnosis.models.calibration import softmax
from diagnosis.models.conformal import sets
from diagnosis.models.protocol import Model
from diagnosis.models.registry import make_model
from diagnosis.records import OTHER, At, Case, Records, Rest, UnknownTime
from diagnosis.suggestions.answers import answer
from diagnosis.suggestions.by_hand import records_by_hand
from diagnosis.suggestions.differential import Differential
from diagnosis.suggestions.learned import Calibrated, describe, label, learn

if TYPE_CHECKING:
    from diagnosis.vocabulary import Vocabulary

__all__ = ["Diagnoser", "Reading"]

Reading = Literal["posterior"]


class Diagnoser(ClassifierMixin, BaseEstimator):
    """Learn from past cases; answer a new one with a ranked, calibrated, explained differential.

    Parameters
    ----------
    model : str or Model
        ``"hybrid"``, ``"linear"``, ``"boosted"``, or an unfitted model of your own.
    encoder : FindingEncoder, optional
        Unfitted; the default one when not given.
    as_of : {"arrival", "index", "end"} or float or None
        The moment suggestions are made for, in fitting and in suggesting: findings known later are never used.
    unknown_time : {"keep", "drop"}
        What becomes of findings that do not say when they were known.
    label_status : tuple of str
        Which judgements count as the diagnosis to learn.
    min_cases : int
        Diagnoses with fewer training cases are pooled.
    rest : {"other", "drop", "error"}
        Rare diagnoses share `OTHER`, leave the training, or are refused.
    top : int
        How many suggestions a differential shows.
    coverage : float
        Share of cases whose diagnosis the prediction set is to hold.
    sensitivity : float
        Share of the cases of each must-not-miss diagnosis that its flag is to catch.
    weighted : bool
        Whether to count cases by their `weight`: probabilities then speak of the prevalence the weights restore,
        instead of that of the file.
    folds : int
        Folds, grouped by patient, for everything that is chosen on cases the model was not trained on.
    seed, n_jobs : int

    Attributes
    ----------
    classes_ : ndarray of object, shape (n_diagnoses,)
        Sorted; `OTHER` among them where rare ones were pooled.
    encoder_, model_ : fitted encoder and model
    calibration_ : Calibrated
        Temperature, set threshold, flag thresholds.
    card_ : dict
        What the training cases were.

    Notes
    -----
    ``score = base + sum of contributions``; the probability is the softmax of the scores. Temperature, set and flag
    thresholds are chosen on cross-fitted scores, so the sets come without the finite-sample guarantee of a part held
    out.

    Examples
    --------
    >>> import diagnosis as dx
    >>> train, test = dx.split(dx.load_sample()[:800], seed=0)
    >>> diagnoser = dx.Diagnoser(model="linear", folds=2).fit(train)
    >>> len(diagnoser.suggest(test, top=3)[0].ranked)
    3
    """

    classes_: npt.NDArray[np.object_]
    encoder_: FindingEncoder
    model_: Model
    calibration_: Calibrated
    card_: dict[str, Any]
    pooled_: frozenset[str]
    vocabulary_: Vocabulary

    def __init__(
        self,
        model: str | Model = "hybrid",
        *,
        encoder: FindingEncoder | None = None,
        as_of: At | None = "end",
        unknown_time: UnknownTime = "keep",
        label_status: tuple[str, ...] = ("confirmed",),
        min_cases: int = 5,
        rest: Rest = "other",
        top: int = 5,
        coverage: float = 0.9,
        sensitivity: float = 0.95,
        weighted: bool = False,
        folds: int = 5,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.as_of = as_of
        self.unknown_time = unknown_time
        self.label_status = label_status
        self.min_cases = min_cases
        self.rest = rest
        self.top = top
        self.coverage = coverage
        self.sensitivity = sensitivity
        self.weighted = weighted
        self.folds = folds
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(self, records: Records, y: npt.ArrayLike | None = None, groups: npt.ArrayLike | None = None) -> Self:
        """Learn from past cases.

        Parameters
        ----------
        records : Records
        y : array-like of str, shape (n_cases,), optional
            Diagnoses to learn; wins over those inside the records. None where a case has none.
        groups : array-like of shape (n_cases,), optional
            What must not be on two sides of a fold; the patients when not given.

        Raises
        ------
        InputError
            Not records, no labels, or fewer than two diagnoses.
        """
        seen = self._as_known(_checked(records))
        truth = seen.labels(self.label_status) if y is None else np.asarray(y, dtype=object)
        labelled = label(seen, truth, np.asarray(seen.groups if groups is None else groups), self.min_cases, self.rest)
        learned = learn(
            labelled,
            FindingEncoder() if self.encoder is None else clone(self.encoder),
            make_model(self.model, seed=self.seed, n_jobs=self.n_jobs),
            coverage=self.coverage,
            sensitivity=self.sensitivity,
            weight=labelled.records.weight if self.weighted else None,
            folds=self.folds,
            seed=self.seed,
        )
        self.encoder_, self.model_, self.calibration_ = learned
        self.classes_ = np.asarray(self.model_.classes_, dtype=object)
        self.vocabulary_ = labelled.records.vocabulary
        self.pooled_ = labelled.pooling.pooled
        self.card_ = describe(labelled, self.classes_)
        self.training_ids_ = tuple(sorted({str(i) for i in (*labelled.records.case_ids, *labelled.groups)}))
        self.__dict__.pop("fingerprint", None)  # of an earlier fit
        return self

    def predict_proba(self, records: Records) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, shape (n_cases, n_diagnoses); rows sum to 1; columns as `classes_`."""
        return self._proba(self._as_known(_checked(records)))

    def predict(self, records: Records) -> npt.NDArray[np.object_]:
        """The most probable diagnosis of each case (`OTHER` included), shape (n_cases,)."""
        return self.classes_[self.predict_proba(records).argmax(axis=1)]

    def score(
        self, records: Records, y: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Share of labelled cases whose diagnosis is the most probable one (a rare one: if that is `OTHER`)."""
        truth = self.truth(records, y)
        has = np.array([t is not None for t in truth])
        weight = None if sample_weight is None else np.asarray(sample_weight)[has]
        if not has.any():
            raise InputError("cases with a diagnosis to score on", "none has one", "give y, or records with labels")
        return float(np.average(self.predict(records)[has] == truth[has], weights=weight))

    def truth(self, records: Records, y: npt.ArrayLike | None = None) -> npt.NDArray[np.object_]:
        """Each case's diagnosis as this model could name it: pooled ones as `OTHER`, never-seen ones as they are."""
        self._check_fitted()
        labels = records.labels(self.label_status) if y is None else np.asarray(y, dtype=object)
        return np.array(
            [OTHER if one in self.pooled_ and self.rest == "other" else one for one in labels], dtype=object
        )

    def batch(self, records: Records) -> Batch:
        """Probabilities, sets, flags and abstentions of many cases at once, as arrays."""
        seen = self._as_known(_checked(records))
        proba = self._proba(seen)
        n_train = np.array([self.card_["n_by_diagnosis"][str(c)] for c in self.classes_], dtype=np.int64)
        return Batch(
            case_ids=seen.case_ids,
            diagnoses=self.classes_,
            proba=proba,
            in_set=sets(proba, self.calibration_.set_at),
            flagged=proba >= self.calibration_.flag_at,
            abstained=~self._understood(seen),
            prior=n_train / n_train.sum(),
            must_not_miss=np.array([c in self.vocabulary_.must_not_miss for c in self.classes_], dtype=bool),
            coverage=self.coverage,
            reading="posterior",
            as_of=self.moment,
            n_train=n_train,
        )

    @overload
    def suggest(self, records: Case, top: int | None = None, reading: Reading = "posterior") -> Differential: ...

    @overload
    def suggest(
        self, records: Records | Sequence[Case], top: int | None = None, reading: Reading = "posterior"
    ) -> list[Differential]: ...

    def suggest(
        self, records: Records | Case | Sequence[Case], top: int | None = None, reading: Reading = "posterior"
    ) -> Differential | list[Differential]:
        """Answer cases with their differentials.

        Parameters
        ----------
        records : Records, or Case, or sequence of Case
            In a case by hand, findings may go by their names.
        top : int, optional
            How many suggestions to show.
        reading : {"posterior"}
            Which question the probabilities answer: which diagnosis is it.

        Returns
        -------
        list of Differential, or one Differential for one Case
        """
        if isinstance(records, Case):
            return self.suggest([records], top, reading)[0]
        if reading != "posterior":
            raise InputError(
                "a reading this model has learned: posterior",
                f"asked for {reading!r}",
                "ask for the posterior",
                near=nearest(str(reading), ["posterior"]),
            )
        shown = self.top if top is None else top
        if shown < 1:
            raise InputError("at least one suggestion to show", f"top is {shown}", "ask for 1 or more")
        self._check_fitted()
        given = records if isinstance(records, Records) else records_by_hand(records, self.vocabulary_)
        given = given.with_vocabulary(self.vocabulary_)
        seen = self._as_known(given)
        lengths = np.diff(given.coded.offsets) - np.diff(seen.coded.offsets)
        return answer(self, seen, self.batch(given), self.encoder_.unknown(seen), lengths, shown)

    def explain_indices(
        self, case: Records, shown: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64] | None, reading: str
    ) -> Evidence:
        """Explain diagnoses, by their position in `classes_`, of one case that is as of its moment already."""
        return explain_case(
            case, self.encoder_, self.model_, self.calibration_.beta, shown, wanted=wanted, reading=reading
        )

    def save(self, folder: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write everything learned as a folder of plain files; `load_diagnoser` reads it.

        Parameters
        ----------
        folder : path
            Replaced if it holds a saved model; refused if it holds anything else.
        provenance : mapping, optional
            What else to keep: the config, the commit.
        """
        from diagnosis.suggestions.bundle import save_bundle

        self._check_fitted()
        return save_bundle(self, Path(folder), provenance or {})

    @property
    def moment(self) -> str:
        """The moment suggestions are made for, as text."""
        return "no moment" if self.as_of is None else self.as_of if isinstance(self.as_of, str) else f"{self.as_of:g} h"

    @property
    def name(self) -> str:
        """Kind of model and fingerprint of everything learned; stands in every output."""
        kind = type(self.model_).__name__.removesuffix("Model").lower()
        return f"{kind} {self.fingerprint[:12]}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything learned, as it would be saved."""
        from diagnosis.suggestions.bundle import bundle_digest, write_learned

        with tempfile.TemporaryDirectory() as folder:
            write_learned(self, Path(folder), {})
            return bundle_digest(Path(folder))

    def _as_known(self, records: Records) -> Records:
        return records.as_of(self.as_of, unknown_time=self.unknown_time)

    def _proba(self, seen: Records) -> npt.NDArray[np.float64]:
        self._check_fitted()
        X = self.encoder_.transform(seen)
        return softmax(self.calibration_.beta * self.model_.scores(X))

    def _understood(self, seen: Records) -> npt.NDArray[np.bool_]:
        """Whether a case has at least one finding that reaches the model, in a state that training knows."""
        lineage = self.encoder_.lineage_
        findings = np.flatnonzero(~lineage.context[lineage.finding])
        return np.asarray(self.encoder_.transform(seen)[:, findings].getnnz(axis=1)).ravel() > 0

    def _check_fitted(self) -> None:
        check_is_fitted(self, "model_")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


def _checked(records: object) -> Records:
    if not isinstance(records, Records):
        raise InputError(
            "records to work on", f"found {type(records).__name__}", "read them with read_records, or build Records"
        )
    return records
