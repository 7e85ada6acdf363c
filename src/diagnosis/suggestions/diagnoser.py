"""`Diagnoser`: an ordinary scikit-learn classifier over records that answers with differentials."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from diagnosis.errors import InputError
from diagnosis.explanation import AnswerCounts, Evidence
from diagnosis.features import FindingEncoder
from diagnosis.models.batch import Batch
from diagnosis.models.protocol import Model
from diagnosis.models.scale import Scale
from diagnosis.records import OTHER, At, Case, Records, Rest, UnknownTime, checked_records
from diagnosis.suggestions.adapting import adapted
from diagnosis.suggestions.answers import answers_to, asked_for, batch_of, probabilities_of
from diagnosis.suggestions.by_hand import ByHand, records_by_hand
from diagnosis.suggestions.differential import Differential
from diagnosis.suggestions.fitting import fit_records
from diagnosis.suggestions.inputs import plausible
from diagnosis.suggestions.policy import Policy
from diagnosis.suggestions.reference_reading import READINGS, Reading, ReferenceReading, Target, asked_reading
from diagnosis.suggestions.updating import updated

if TYPE_CHECKING:
    from diagnosis.suggestions.calibrated import Calibrated
    from diagnosis.suggestions.neighbours import Neighbours
    from diagnosis.suggestions.red_flags import RedFlag
    from diagnosis.suggestions.training_ids import TrainingIds
    from diagnosis.vocabulary import Vocabulary

__all__ = ["READINGS", "Diagnoser", "Reading", "Target"]


class Diagnoser(ClassifierMixin, BaseEstimator):
    """Learn from past cases; answer a new one with a ranked, calibrated, explained differential.

    Parameters
    ----------
    model : str or Model
        ``"hybrid"``, ``"linear"``, ``"boosted"``, ``"ranker"``, ``"auto"`` (the ranker from 150 diagnoses on, otherwise
        the hybrid; the choice is in `card_`), or an unfitted model of your own.
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
        Share of the cases with a must-not-miss diagnosis whose own diagnosis is to be flagged.
    policy : Policy
        By which rules: calibration, kind of sets and groups they hold in, flags, abstention, red flags.
    target : {"posterior", "differential", "both"}
        Which readings are learned. The posterior (which diagnosis is it) always is: sets, flags, `predict_proba` and
        `score` are its. The differential (what a doctor would keep on the list) is learned beside it from the
        reference lists in ``cases.differential``; with ``"differential"`` it is also what `suggest` answers with.
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
    reading_ : ReferenceReading or None
        What was learned of reference lists.
    card_ : dict
        What the training cases were.

    Notes
    -----
    ``score = base + sum of contributions``; the probability is the softmax of the scores. Temperature, set and flag
    thresholds are chosen on cross-fitted scores, so the sets come without a finite-sample guarantee.

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
    reading_: ReferenceReading | None
    red_flags_: tuple[RedFlag, ...]
    training_ids_: TrainingIds
    neighbours_: Neighbours | None
    answers_: AnswerCounts | None

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
        policy: Policy = Policy(),  # noqa: B008 - frozen
        target: Target = "posterior",
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
        self.policy = policy
        self.target = target
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
        fit_records(self, self.as_known(checked_records(records)), y, groups).give_to(self)
        return self

    def predict_proba(self, records: Records) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, shape (n_cases, n_diagnoses); rows sum to 1; columns as `classes_`."""
        return self.probabilities(self.as_known(checked_records(records)))

    def predict_differential(self, records: Records) -> npt.NDArray[np.float64]:
        """Probability of each diagnosis on a doctor's list, rows sum to 1; columns as ``codes("differential")``."""
        return self.probabilities(self.as_known(checked_records(records)), "differential")

    def codes(self, reading: str = "posterior") -> npt.NDArray[np.object_]:
        """The diagnoses of a reading, in the order of its probabilities; those of the posterior are `classes_`."""
        return self.part(reading)[1]

    def predict(self, records: Records) -> npt.NDArray[np.object_]:
        """The most probable diagnosis of each case (`OTHER` included), shape (n_cases,)."""
        return self.codes()[self.predict_proba(records).argmax(axis=1)]

    def score(
        self, records: Records, y: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Share of labelled cases whose diagnosis is the most probable one (a rare one: if that is `OTHER`)."""
        truth = self.truth(records, y)
        has = np.array([t is not None for t in truth])
        if not has.any():
            raise InputError("cases with a diagnosis to score on", "none has one", "give y, or records with labels")
        weight = None if sample_weight is None else np.asarray(sample_weight)[has]
        return float(np.average(self.predict(records)[has] == truth[has], weights=weight))

    def truth(self, records: Records, y: npt.ArrayLike | None = None) -> npt.NDArray[np.object_]:
        """Each case's diagnosis as this model could name it: pooled ones as `OTHER`, never-seen ones as they are."""
        self._check_fitted()
        labels = records.labels(self.label_status) if y is None else np.asarray(y, dtype=object)
        pooled = self.pooled_ if self.rest == "other" else frozenset()
        return np.array([OTHER if one in pooled else one for one in labels], dtype=object)

    def batch(self, records: Records) -> Batch:
        """Probabilities, sets, flags and abstentions of many cases at once, as arrays."""
        return batch_of(self, self.as_known(checked_records(records)))

    @overload
    def suggest(self, records: Case, top: int | None = None, reading: Reading | None = None) -> Differential: ...

    @overload
    def suggest(
        self, records: Records | Sequence[Case], top: int | None = None, reading: Reading | None = None
    ) -> list[Differential]: ...

    def suggest(
        self, records: Records | Case | Sequence[Case], top: int | None = None, reading: Reading | None = None
    ) -> Differential | list[Differential]:
        """Answer cases with their differentials: a list, or one Differential for one Case.

        Parameters
        ----------
        records : Records, or Case, or sequence of Case
            In a case by hand, findings may go by their names.
        top : int, optional
            How many suggestions to show.
        reading : {"posterior", "differential"}, optional
            Which question the probabilities answer: which diagnosis is it, or which ones a doctor would keep on the
            list. The posterior when not given, or the differential where `target` is that. Sets, flags and abstention
            are always those of the posterior.
        """
        if isinstance(records, Case):
            return self.suggest([records], top, reading)[0]
        shown, asked = asked_for(self, top, reading)
        given = ByHand((), records) if isinstance(records, Records) else records_by_hand(records, self.vocabulary_)
        return answers_to(self, given, shown, asked)

    def explain(self, records: Records, top: int | None = None, reading: Reading | None = None) -> Iterator[Evidence]:
        """Explain what is suggested for many cases, one after the other, in little memory.

        Each `Evidence` is what `Differential.explain` gives for the case; parameters are those of `suggest`.
        """
        from diagnosis.suggestions.explaining import explanations

        return explanations(self, checked_records(records), *asked_for(self, top, reading))

    def adapt(
        self,
        *,
        prior: Mapping[str, float] | None = None,
        records: Records | None = None,
        site: str | None = None,
        strength: float | None = None,
    ) -> Diagnoser:
        """Return a diagnoser for another place: its prevalence moves the base, no contribution changes.

        Every probability is multiplied by new over old share (with `records`: over the share the model expects of
        these cases) and renormalised. With 200 labelled `records` or more, one further temperature and the sets are
        chosen on them (and the flags, with 100 must-not-miss cases); otherwise they remain those of training.

        Parameters
        ----------
        prior : mapping of str to float
            Shares by code or name; diagnoses left out divide the rest as in training.
        records : Records
            Labelled cases of the new place that the model was not trained on.
        site : str
            One of the training sites with 20 cases or more.
        strength : float, optional
            How many cases the old shares are worth beside those counted; chosen by their likelihood when not given.
        """
        return adapted(self, prior=prior, records=records, site=site, strength=strength)

    def update(self, records: Records, y: npt.ArrayLike | None = None) -> Diagnoser:
        """Return a diagnoser that has also learned new confirmed cases; this one stays as it is.

        Columns, diagnoses, calibration, sets and flags stay; the card counts what was added, and the cases left out for
        want of a diagnosis the model knows. Refused for the ranker, and for cases the model was trained on.
        """
        return updated(self, self.as_known(checked_records(records)), y)

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

    def as_known(self, records: Records) -> Records:
        """The cases as of the moment suggestions are made for."""
        return records.as_of(self.as_of, unknown_time=self.unknown_time)

    def probabilities(self, seen: Records, reading: str = "posterior") -> npt.NDArray[np.float64]:
        """Calibrated probabilities of a reading for cases that are as of their moment already."""
        self._check_fitted()
        return probabilities_of(self, self.encoder_.transform(plausible(seen)), reading)

    def raw_scores(self, records: Records) -> npt.NDArray[np.float64]:
        """The model's own scores before calibration, shape (n_cases, n_diagnoses)."""
        return self.model_.scores(self.encoder_.transform(self.as_known(checked_records(records))))

    def part(self, reading: str) -> tuple[Model, npt.NDArray[np.object_], Scale]:
        """Model, diagnoses and calibration of a reading."""
        self._check_fitted()
        if reading == "posterior":
            return self.model_, self.classes_, self.calibration_.scale
        found = asked_reading(reading, self.reading_)
        return found.model, found.classes, Scale(found.beta)

    def _check_fitted(self) -> None:
        if "model_" not in self.__dict__:
            check_is_fitted(self, "model_")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")
