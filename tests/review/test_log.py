"""A review log: nothing confirmed is lost, nothing is changed unnoticed, and a click is not taken for the truth."""

from __future__ import annotations

import math
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from tests.small import small_records

import diagnosis as dx
from diagnosis.errors import InputError, UnknownCodeError, UnknownNameError, WorkError
from diagnosis.review import Review
from diagnosis.review.agreement import agreement_of, kappa
from diagnosis.review.chain import Entry, content_hash, row_hash, text_of, verify_chain
from diagnosis.review.in_view import difference, paired_difference
from diagnosis.review.labels import label_rows, with_reviews
from diagnosis.suggestions import Differential


@pytest.fixture(scope="module")
def differentials() -> list[Differential]:
    records = small_records()
    return dx.Diagnoser(model="linear").fit(records).suggest(records[:4], top=3)


@pytest.fixture
def log(tmp_path: Path) -> dx.ReviewLog:
    return dx.ReviewLog(tmp_path / "reviews.db")


def review(**changes: Any) -> Review:
    plain = Review(
        reviewer="Li",
        case_id="a",
        model="m",
        record="r",
        shown=(("flu", 0.7), ("cold", 0.2)),
        verdict="agree",
        diagnosis="flu",
        revealed="2026-01-01T08:00:00+00:00",
        time="2026-01-01T08:01:00+00:00",
        seq=1,
    )
    return replace(plain, **changes)


def test_an_answer_comes_back_as_it_was_given(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    first, second = differentials[:2]
    other = second.ranked[1].diagnosis
    one = log.add(first, reviewer="Dr Li 李", verdict="agree", seconds=12.5, comment="显然\n'); DROP TABLE entries;--")
    two = log.add(second, reviewer="Dr Li 李", verdict="other", diagnosis=other, first_idea=other, basis="laboratory")
    assert log.reviews() == [one, two]
    assert (one.seq, two.seq, len(log)) == (1, 2, 2)
    assert one.diagnosis == first.ranked[0].diagnosis
    assert one.shown == tuple((s.diagnosis, s.probability) for s in first.ranked)
    assert one.record == first.records.digest()
    assert one.saw_model
    assert not one.confirmed
    assert two.confirmed
    assert dx.ReviewLog(log.path).reviews() == [one, two], "opened again"
    assert list(log.frame().index) == [1, 2]
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert log.verify()
    assert str(log.verify()) == "2 rows, whole and unchanged"
    assert repr(log) == "<ReviewLog reviews.db: 2 rows>"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"verdict": "agre"}, "agree"),
        ({"verdict": "other"}, "names a diagnosis"),
        ({"verdict": "cannot_say", "diagnosis_text": "flu"}, "names no diagnosis"),
        ({"verdict": "agree", "diagnosis": 1}, "first of the list"),
        ({"verdict": "agree", "basis": "labratory"}, "laboratory"),
        ({"verdict": "agree", "reviewer": " "}, "reviewer"),
        ({"verdict": "agree", "seconds": math.nan}, "seconds"),
        ({"verdict": "agree", "revealed": datetime(2026, 1, 1)}, "zone"),
        ({"verdict": "agree", "comment": "x" * 10_001}, "10,000"),
    ],
)
def test_an_answer_that_says_nothing_is_refused(
    log: dx.ReviewLog, differentials: list[Differential], answer: dict[str, Any], says: str
) -> None:
    if "diagnosis" in answer:
        answer = answer | {"diagnosis": differentials[0].ranked[answer["diagnosis"]].diagnosis}
    with pytest.raises((InputError, UnknownNameError), match=says):
        log.add(differentials[0], **{"reviewer": "Li", **answer})
    assert len(log) == 0


def test_a_diagnosis_nobody_knows_is_told_the_nearest(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    known = differentials[0].ranked[0].diagnosis
    with pytest.raises(UnknownCodeError) as caught:
        log.add(differentials[0], reviewer="Li", verdict="other", diagnosis=f"{known}x")
    assert known in caught.value.near
    free = log.add(differentials[0], reviewer="Li", verdict="other", diagnosis_text="something rare")
    assert free.diagnosis is None
    assert not list(label_rows([free]))


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as db, db:
        yield db


def tampered(log: dx.ReviewLog, *statements: str) -> None:
    with by_hand(log.path) as db:
        db.execute("DROP TRIGGER no_delete")
        db.execute("DROP TRIGGER no_change")
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE entries SET content = replace(content, 'Li', 'Wu') WHERE seq = 2", "row 2: its content was changed"),
        ("DELETE FROM entries WHERE seq = 2", "row 2 is missing"),
        ("UPDATE entries SET time = '2020' WHERE seq = 3", "row 3: does not follow"),
        ("UPDATE entries SET content = NULL, salt = NULL WHERE seq = 1", "no redaction says so"),
        ("UPDATE entries SET seq = -seq WHERE seq < 3", "row"),
    ],
)
def test_what_was_changed_is_found(
    log: dx.ReviewLog, differentials: list[Differential], statement: str, says: str
) -> None:
    for one in differentials:
        log.add(one, reviewer="Li", verdict="agree")
    tampered(log, statement)
    assert not log.verify()
    assert says in str(log.verify())


def test_a_cut_tail_is_found_with_the_head(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    empty = log.head()
    log.add(differentials[0], reviewer="Li", verdict="agree")
    early = log.head()
    log.add(differentials[1], reviewer="Li", verdict="agree")
    late = log.head()
    assert all(log.verify(head) for head in (empty, early, late))
    tampered(log, "DELETE FROM entries WHERE seq = 2")
    assert log.verify(), "the log cannot know by itself"
    assert log.verify(early)
    assert "held 2 rows" in str(log.verify(late))
    with pytest.raises(InputError, match="head"):
        log.verify("2:abc")


def test_rows_are_neither_deleted_nor_changed(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    log.add(differentials[0], reviewer="Li", verdict="agree")
    with by_hand(log.path) as db:
        for statement in ("DELETE FROM entries", "UPDATE entries SET time = ''", "UPDATE entries SET content = '{}'"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                db.execute(statement)
    assert log.verify()


def test_a_person_can_be_taken_out_and_the_chain_holds(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    for one in differentials[:3]:
        log.add(one, reviewer="Li", verdict="agree", comment=f"secret of {one.case_id}")
    gone = differentials[1].case_id
    assert log.redact(gone, "asked for by the patient") == 1
    assert log.redact(gone, "again") == 0
    assert [one.case_id for one in log.reviews()] == [differentials[0].case_id, differentials[2].case_id]
    assert log.verify()
    log.add(differentials[3], reviewer="Li", verdict="agree")
    assert log.verify(log.head())
    held = b"".join(path.read_bytes() for path in log.path.parent.iterdir())
    assert f"secret of {gone}".encode() not in held
    assert f"secret of {differentials[0].case_id}".encode() in held
    tampered(log, f"UPDATE entries SET content = '{text_of(review(seq=2).to_json())}' WHERE seq = 2")
    assert "row 2: its content was changed" in str(log.verify()), "what was emptied is not filled again"


def test_two_patients_without_a_name_are_not_taken_for_one(
    log: dx.ReviewLog, differentials: list[Differential]
) -> None:
    suggest = differentials[0].diagnoser.suggest
    one, other = (suggest(dx.Case([dx.Finding(code)], age_years=4)) for code in ("rash", "wheeze"))
    assert one.case_id == other.case_id
    log.add(one, reviewer="Li", verdict="agree")
    log.add(one, reviewer="Wu", verdict="agree")
    with pytest.raises(InputError, match="case_id="):
        log.add(other, reviewer="Li", verdict="agree")
    assert len(log) == 2
    log.add(suggest(dx.Case([dx.Finding("wheeze")], age_years=4, case_id="b")), reviewer="Li", verdict="agree")
    twice = [suggest([dx.Case([dx.Finding(code)]), dx.Case()])[0] for code in ("rash", "wheeze")]
    log.add(twice[0], reviewer="Li", verdict="agree")
    with pytest.raises(InputError, match="case_id="):
        log.add(twice[1], reviewer="Li", verdict="agree")
    for both in ([one, other], [other, one]):
        made = dx.worklist(both, ids=True)
        names = made.frame()["case_id"].tolist()
        assert sorted(names) == ["case 1", "case 2"]
        assert [both[int(name[-1]) - 1] for name in names] == list(made), "numbered as they came"
        assert [one.case_id for one in made] == ["case", "case"]
        assert "case 1" in made.to_html()
    assert dx.worklist([one, differentials[0]]).frame()["case_id"].isin(["case", differentials[0].case_id]).all()


def test_a_redaction_beside_a_reader_says_that_the_text_is_still_there(
    tmp_path: Path, differentials: list[Differential]
) -> None:
    log = dx.ReviewLog(tmp_path / "reviews.db", wait=0.05)
    one = differentials[0]
    log.add(one, reviewer="Li", verdict="agree", comment="a secret")
    with closing(sqlite3.connect(log.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()
        with pytest.raises(WorkError, match="once more"):
            log.redact(one.case_id, "asked for")
    assert log.redact(one.case_id, "asked for") == 0
    assert log.verify()
    assert not log.reviews()
    assert b"a secret" not in b"".join(path.read_bytes() for path in log.path.parent.iterdir())


def test_two_reviewers_at_once_lose_nothing(log: dx.ReviewLog) -> None:
    script = textwrap.dedent(
        f"""
        import sys
        from diagnosis.review import store
        from pathlib import Path
        for i in range(40):
            store.add(Path({str(log.path)!r}), 30, "review", {{"reviewer": sys.argv[1], "i": i}})
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("Li", "Wu")]
    assert [w.wait(60) for w in writers] == [0, 0]
    assert len(log) == 80
    assert log.verify()


def test_killed_between_writes_nothing_confirmed_is_lost(log: dx.ReviewLog) -> None:
    script = textwrap.dedent(
        f"""
        from diagnosis.review import store
        from pathlib import Path
        for i in range(10**6):
            print(store.add(Path({str(log.path)!r}), 30, "review", {{"i": i}}).seq, flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(25):
            confirmed = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        confirmed = max([confirmed, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
    assert confirmed <= len(log) <= confirmed + 1
    assert log.verify()


def test_files_that_are_no_review_log(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, and long enough to be looked at as one " * 20)
    with by_hand(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE t (a)")
    dx.ReviewLog(tmp_path / "new.db")
    with by_hand(tmp_path / "new.db") as db:
        db.execute("PRAGMA user_version = 99")
    for name, says in (("text.db", "no SQLite"), ("other.db", "another kind"), ("new.db", "newer release")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match=says):
            dx.ReviewLog(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(InputError, match="no folder"):
        dx.ReviewLog(tmp_path / "nowhere" / "reviews.db")
    with pytest.raises((InputError, WorkError)):
        dx.ReviewLog(tmp_path)


def test_a_held_log_says_so_and_stores_nothing(tmp_path: Path, differentials: list[Differential]) -> None:
    log = dx.ReviewLog(tmp_path / "reviews.db", wait=0.05)
    holder = sqlite3.connect(log.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(WorkError, match="Nothing was stored"):
        log.add(differentials[0], reviewer="Li", verdict="agree")
    assert len(log) == 0, "it can be read meanwhile"
    holder.execute("ROLLBACK")
    holder.close()
    assert log.add(differentials[0], reviewer="Li", verdict="agree").seq == 1


def test_a_click_after_seeing_the_list_is_no_label_to_learn_from() -> None:
    records = small_records()
    ids = records.case_ids.tolist()
    unlabelled = records.frame("cases").drop(columns="diagnosis")
    blind = dx.Records.from_tables({"cases": unlabelled, "findings": records.arrow("findings")})
    flu = str(records.y[0])
    made = with_reviews(
        blind,
        [
            review(case_id=ids[0], diagnosis=flu),
            review(case_id=ids[1], diagnosis=flu, basis="clinical", first_idea=flu),
            review(case_id=ids[2], diagnosis=flu, basis="laboratory"),
            review(case_id=ids[3], diagnosis=flu, basis="laboratory"),
            review(case_id=ids[3], diagnosis=None, verdict="cannot_say"),
            review(case_id="elsewhere", diagnosis=flu, basis="pathology"),
        ],
    )
    assert [(i, one) for i, one in enumerate(made.y) if one is not None] == [(2, flu)]
    labels = made.frame("labels").set_index("case_id")
    assert set(labels.loc[[ids[1]], "saw_model"]) == {"no", "yes"}
    assert set(labels["role"]) == {"reviewer", "principal"}
    again = with_reviews(made, [review(case_id=ids[4], diagnosis=flu, basis="follow_up")])
    assert len(again.frame("labels")) == len(labels) + 1
    assert again.y[4] == flu


def test_confirmed_diagnoses_that_contradict_each_other_are_nobody_s_truth() -> None:
    records = small_records()
    case, (flu, cold) = str(records.case_ids[0]), sorted(set(records.y))[:2]
    tables = {"cases": records.frame("cases").drop(columns="diagnosis"), "findings": records.arrow("findings")}
    blind = dx.Records.from_tables(tables)
    one = review(case_id=case, diagnosis=flu, basis="laboratory", shown=((flu, 0.9),))
    other = review(case_id=case, reviewer="Wu", diagnosis=cold, verdict="other", basis="imaging", shown=((flu, 0.9),))
    with pytest.warns(dx.DiagnosisWarning, match="1 cases"):
        made = with_reviews(blind, [one, other])
    assert made.y[0] is None
    assert set(made.frame("labels")["status"]) == {"provisional"}


def test_other_than_the_first_is_not_the_first(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    first = differentials[0].ranked[0].diagnosis
    with pytest.raises(InputError, match="agree"):
        log.add(differentials[0], reviewer="Li", verdict="other", diagnosis=first)
    unseen = log.add(differentials[0], reviewer="Li", verdict="other", diagnosis=first, revealed=False)
    assert (unseen.verdict, unseen.diagnosis) == ("agree", first), "who never saw the list cannot know that it is first"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40))
def test_kappa_is_the_one_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    one, other = zip(*pairs, strict=True)
    value, low, high = kappa(one, other)
    if len(set(one) | set(other)) == 1:
        assert math.isnan(value)
        return
    assert value == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert math.isnan(low) == math.isnan(high)
    assert math.isnan(low) or low <= value + 1e-12 <= high + 2e-12
    if len(set(one)) == 1 or len(set(other)) == 1 or one == other:
        assert math.isnan(low), "no standard error"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
@settings(max_examples=30)
def test_intervals_of_what_seeing_the_list_does(pairs: list[tuple[bool, bool]]) -> None:
    one, other = (list(column) for column in zip(*pairs, strict=True))
    for made, swapped in (
        (difference(one, other), difference(other, one)),
        (paired_difference(pairs), paired_difference([(b, a) for a, b in pairs])),
    ):
        assert made == pytest.approx((-swapped[0], -swapped[2], -swapped[1]))
        assert -1 <= made[1] <= made[2] <= 1


def test_the_interval_of_kappa_is_that_of_drawing_cases_again() -> None:
    rng = np.random.default_rng(0)
    one = rng.choice(list("abc"), 400, p=[0.6, 0.3, 0.1])
    other = np.where(rng.random(400) < 0.7, one, rng.choice(list("abc"), 400))
    _, low, high = kappa(one.tolist(), other.tolist())
    draws = [cohen_kappa_score(one[rows], other[rows]) for rows in rng.integers(0, 400, (300, 400))]
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02)


def test_agreement_by_hand() -> None:
    reviews = [
        review(reviewer="Li", case_id="a", diagnosis="flu", first_idea="cold"),
        review(reviewer="Li", case_id="b", verdict="other", diagnosis="cold", first_idea="cold"),
        review(reviewer="Li", case_id="c", verdict="other", diagnosis="plague", first_idea="plague"),
        review(reviewer="Wu", case_id="a", diagnosis="cold", verdict="other"),
        review(reviewer="Wu", case_id="a", diagnosis="flu"),  # thought again
        review(reviewer="Wu", case_id="b", diagnosis=None, verdict="cannot_say"),
        review(reviewer="Wu", case_id="c", diagnosis="flu", seconds=30.0),
    ]
    made = agreement_of(reviews)
    li = made.with_model.loc["Li"]
    assert (li["n"], li["first"], li["listed"]) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (li["n_before"], li["before_first"], li["before_listed"]) == (3, 0, pytest.approx(2 / 3))
    assert (li["n_apart"], li["moved_to_first"]) == (3, pytest.approx(1 / 3))
    wu = made.with_model.loc["Wu"]
    assert (wu["n"], wu["first"], wu["cannot_say"], wu["median_seconds"]) == (2, 1.0, 1, 30.0)
    pair = made.between.iloc[0]
    assert (pair["one"], pair["other"], pair["n"], pair["agreement"]) == ("Li", "Wu", 2, 0.5)
    assert made.to_json()["with_model"][1]["n_before"] == 0
    assert made.by_view.loc["first idea", ["n", "first"]].tolist() == [3, 0]
    assert made.by_view.loc["in view", ["n", "first"]].tolist() == [5, pytest.approx(3 / 5)]
    assert made.by_view.loc["in view - first idea", ["n", "first"]].tolist() == [3, pytest.approx(1 / 3)]
    assert made.to_json()["by_view"][2] == {"list": "withheld", "n": 0, "first": None, "low": None, "high": None}
    alone = [review(reviewer="Xu", case_id=f"w{i}", diagnosis="flu", revealed=None) for i in range(3)]
    apart = agreement_of([*reviews, *alone, review(reviewer="Xu", case_id="w3", diagnosis="gout", revealed=None)])
    assert apart.by_view.loc["withheld", ["n", "first"]].tolist() == [4, 0.75]
    assert apart.by_view.loc["in view - withheld", "first"] == pytest.approx(3 / 5 - 3 / 4)
    assert (apart.with_model.loc["Xu", "n_withheld"], apart.with_model.loc["Li", "n_withheld"]) == (4, 0)
    assert (apart.by_view["low"] <= apart.by_view["first"]).all()
    assert (apart.by_view["first"] <= apart.by_view["high"]).all()
    assert "no case has two reviewers" in repr(agreement_of(reviews[:1]))
    assert len(agreement_of([]).with_model) == 1


def test_a_redaction_speaks_of_rows_before_it_and_stays_itself() -> None:
    rows: list[Entry] = []
    contents = [("review", {}), ("redaction", {"rows": [1, 2, 4]}), ("redaction", {"rows": [1]}), ("review", {})]
    for i, (kind, values) in enumerate(contents, 1):
        sealed = content_hash("salt", text_of(values))
        chained = row_hash(rows[-1].hash if rows else "0" * 64, i, kind, "t", sealed)
        rows.append(Entry(i, kind, "t", "salt", text_of(values), sealed, chained))
    assert verify_chain(rows)
    without = [replace(row, salt=None, content=None) for row in rows]
    assert verify_chain([without[0], *rows[1:]])
    assert "row 4: its content is gone" in str(verify_chain([*rows[:3], without[3]])), "listed before it was there"
    assert "row 2: its content was changed" in str(verify_chain([without[0], without[1], *rows[2:]]))


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.data())
def test_any_flipped_character_of_any_row_is_found(contents: list[str], data: st.DataObject) -> None:
    rows: list[Entry] = []
    for i, text in enumerate(contents, 1):
        content = text_of({"text": text})
        sealed = content_hash("salt", content)
        before = rows[-1].hash if rows else "0" * 64
        rows.append(Entry(i, "review", "t", "salt", content, sealed, row_hash(before, i, "review", "t", sealed)))
    assert verify_chain(rows)
    i = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["kind", "time", "salt", "content", "content_hash", "hash"]))
    rows[i] = replace(rows[i], **{name: getattr(rows[i], name) + "x"})
    assert not verify_chain(rows)


def test_moments_with_a_zone_are_kept(log: dx.ReviewLog, differentials: list[Differential]) -> None:
    when = datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert log.add(differentials[0], reviewer="Li", verdict="agree", revealed=when).revealed == when.isoformat()
    blind = log.add(differentials[0], reviewer="Li", verdict="cannot_say", revealed=False)
    assert not blind.saw_model
