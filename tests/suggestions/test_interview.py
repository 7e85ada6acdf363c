"""Copies as an interview leaves them: the complaint stays, questions are known whole or not at all, often few."""

from __future__ import annotations

import numpy as np

from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy, load_bundle
from diagnosis.suggestions.masking import interviewed

CODES = ("pain", "where_left", "where_right", *(f"q{i}" for i in range(17)))


def interviews(n: int) -> Records:
    """Twenty findings a case, all answered; the first is the complaint, the next two answer one question."""
    rng = np.random.default_rng(0)
    first = ["chief_complaint"] + ["history"] * (len(CODES) - 1)
    return Records.from_tables(
        {
            "cases": {"case_id": [f"c{i}" for i in range(n)], "diagnosis": [f"d{i % 2}" for i in range(n)]},
            "findings": {
                "case_id": np.repeat([f"c{i}" for i in range(n)], len(CODES)),
                "code": list(CODES) * n,
                "status": rng.choice(["present", "absent"], n * len(CODES)),
                "phase": first * n,
            },
            "vocabulary": {
                "code": list(CODES),
                "question": ["Pain?", "Where does it hurt?", "Where does it hurt?", *[None] * 17],
            },
        },
        {"format": 1},
    )


def test_the_complaint_stays_and_questions_go_whole() -> None:
    records = interviews(300)
    before = records.digest()
    left = interviewed(records, 1)
    assert records.digest() == before
    assert left.digest() == interviewed(records, 1).digest() != interviewed(records, 2).digest()
    codes = [{one.code for one in left.case(i).findings} for i in range(len(left))]
    assert all("pain" in one for one in codes)
    assert all(("where_left" in one) == ("where_right" in one) for one in codes)
    n = np.array([len(one) for one in codes])
    assert 0.2 < (n <= 3).mean() < 0.6, "few answers are as common as many"
    assert (n >= 12).mean() > 0.1


def test_a_model_learns_from_them_when_asked(tmp_path) -> None:
    policy = Policy(masking="interview")
    diagnoser = Diagnoser(model="linear", folds=2, policy=policy).fit(interviews(60))
    assert diagnoser.card_["n_masked_copies"] >= 60
    diagnoser.save(tmp_path / "model")
    assert load_bundle(tmp_path / "model").policy == policy
