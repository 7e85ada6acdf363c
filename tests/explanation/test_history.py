"""A finding over time is explained with the finding where the case records it, and in a line of its own elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.features import FindingEncoder
from diagnosis.models import make_model
from diagnosis.suggestions import Diagnoser, learned
from diagnosis.suggestions.learned import label


@pytest.mark.parametrize("model", ["linear", "boosted"])
def test_earlier_encounters_are_explained_and_the_sum_is_exact(model: str) -> None:
    records = small_records(150)
    diagnoser = Diagnoser(model=model, encoder=FindingEncoder(min_cases=5, windows=[30, "ever"]), folds=2).fit(records)
    encoder = diagnoser.encoder_
    told = 0
    for differential in diagnoser.suggest(records[:50], top=2)[:12]:
        evidence = differential.explain()
        case = differential.records
        recorded = set(encoder.lineage_.keys[encoder.recorded(case).indices])
        for one, suggestion in zip(evidence, differential, strict=True):
            assert one.probability == pytest.approx(suggestion.probability, rel=1e-9)
            assert one.base + sum(line.contribution for line in one.lines) == pytest.approx(one.score, abs=1e-9)
        past = [line for line in evidence[0].context if str(line.code).startswith("earlier/")]
        assert not {str(line.code).removeprefix("earlier/") for line in past} & recorded
        assert all(evidence.names[str(line.code)].endswith("earlier)") for line in past)
        told += sum(int(str(line.text).removesuffix("×")) for line in past)
    assert told > 0
    assert np.isin(differential.row.indices, np.arange(encoder.n_features_out_)).all()  # type: ignore[union-attr]
    assert "earlier" in "".join(d.to_html() for d in diagnoser.suggest(records[:50], top=2)[:12])


def test_encounters_without_a_diagnosis_are_part_of_the_past_in_training_too(monkeypatch: pytest.MonkeyPatch) -> None:
    records = small_records(90)
    some = records.y.copy()
    some[::3] = None
    labelled = label(records, some, records.groups, 1, "other")
    monkeypatch.setattr(learned, "fit_with_cross_scores", lambda _, X, y, **rest: (X, y))
    encoder = FindingEncoder(min_cases=1, windows=["ever"])
    encoder, X, _ = learned.learn(labelled, encoder, make_model("linear"), weight=None, folds=2, seed=0)
    keep = np.flatnonzero(some != None)  # noqa: E711 - elementwise
    assert (encoder.transform(records)[keep] != X).nnz == 0
    assert (encoder.transform(records[keep]) != X).nnz > 0
