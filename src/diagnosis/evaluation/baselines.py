"""What simple models make of the same training cases: the prior, age and sex alone, naive Bayes on the findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from diagnosis.features.context import AGE_BANDS, ANSWERS, SEXES, read_context
from diagnosis.models.batch import Batch

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["BASELINES", "baseline_batches"]

BASELINES = ("prior", "demographics", "naive_bayes")
_MOST_STEPS = 2000
_OLDEST = 100.0


def baseline_batches(train: Records, y: NDArray[np.object_], test: Records, like: Batch) -> dict[str, Batch]:
    """Fit the baselines on training cases and answer test cases.

    - ``prior``: shares of the training cases.
    - ``demographics``: multinomial logistic regression on age, age band, sex and pregnancy.
    - ``naive_bayes``: Bernoulli naive Bayes on which findings are present, absent and uncertain.

    Parameters
    ----------
    train : Records
        Labelled cases as of their moment.
    y : ndarray of object
        Their diagnoses, as the model names them.
    test : Records
        As of their moment.
    like : Batch
        Answer of the model to the test cases: the diagnoses and their order.

    Returns
    -------
    dict of str to Batch
        Every diagnosis of the model is there, with probability 0 where no training case has it.
    """
    codes = train.coded.codes
    sides: dict[str, tuple[Any, Any, Any]] = {
        "prior": (DummyClassifier(strategy="prior"), np.zeros((len(train), 1)), np.zeros((len(test), 1))),
        "demographics": (
            LogisticRegression(max_iter=_MOST_STEPS),
            _demographics(train),
            _demographics(test),
        ),
        "naive_bayes": (BernoulliNB(), _states(train, codes), _states(test, codes)),
    }
    named, known = y.astype(str), set(like.diagnoses.astype(str).tolist())
    use = np.flatnonzero(np.array([one in known for one in named], dtype=bool))
    made = {}
    for name, (model, X, other) in sides.items():
        simplest = len(np.unique(named[use])) < 2
        fitted = (DummyClassifier(strategy="prior") if simplest else model).fit(X[use], named[use])
        made[name] = _batch(like, fitted.predict_proba(other), fitted.classes_)
    return made


def _batch(like: Batch, proba: NDArray[np.float64], classes: NDArray[Any]) -> Batch:
    place = {str(d): k for k, d in enumerate(like.diagnoses)}
    full = np.zeros(like.proba.shape)
    full[:, [place[str(c)] for c in classes]] = proba
    nothing = np.zeros(like.proba.shape, dtype=bool)
    return replace(like, proba=full, in_set=nothing, flagged=nothing, abstained=np.zeros(len(like), dtype=bool))


def _demographics(records: Records) -> NDArray[np.float64]:
    """Age in centuries, and a column each for every age band, sex and answer on pregnancy."""
    context = read_context(records)
    age = np.nan_to_num(np.clip(context.years, 0.0, _OLDEST)) / _OLDEST
    bands = np.eye(len(AGE_BANDS) + 1)[context.band]
    sex = np.eye(len(SEXES) + 1)[context.sex.astype(int) + 1]
    pregnant = np.eye(len(ANSWERS) + 1)[context.pregnant.astype(int) + 1]
    return np.column_stack([age, bands, sex, pregnant])


def _states(records: Records, codes: NDArray[np.object_]) -> sparse.csr_array:
    """One column a code and state, 1 where the latest row of the patient's own finding says so."""
    coded = records.coded
    place = {code: k for k, code in enumerate(codes.tolist())}
    column = np.array([place.get(code, -1) for code in coded.codes.tolist()], dtype=np.int64)
    own = column[coded.code] if len(coded) else np.empty(0, np.int64)
    use = np.flatnonzero(coded.latest & (coded.subject < 0) & (own >= 0))
    cells = (coded.case[use], 3 * own[use] + coded.status[use])
    X = sparse.csr_array((np.ones(len(use)), cells), shape=(coded.n_cases, 3 * max(len(codes), 1)))
    X.data[:] = 1.0
    return X
