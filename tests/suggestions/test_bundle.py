"""A saved model: plain files, whole or refused."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.small import small_records

from diagnosis.errors import BundleError, InputError
from diagnosis.models import sets, softmax
from diagnosis.suggestions import Diagnoser, load_bundle
from diagnosis.suggestions.bundle import _digests, _self_digest


@pytest.fixture(scope="module")
def fitted() -> Diagnoser:
    return Diagnoser(model="hybrid", folds=2).fit(small_records(200, seed=1))


@pytest.fixture(scope="module")
def saved(fitted: Diagnoser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("bundle") / "model", provenance={"commit": "abc"})


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and "local" not in p.parts)


def test_two_fits_give_equal_bytes(saved: Path, tmp_path: Path) -> None:
    again = Diagnoser(model="hybrid", folds=2).fit(small_records(200, seed=1))
    other = again.save(tmp_path / "again", provenance={"commit": "abc"})
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (saved, other))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_it_holds_no_code_and_no_ids(saved: Path) -> None:
    assert {p.suffix for p in files_of(saved)} <= {".json", ".npz", ".txt"}
    for path in files_of(saved):
        assert b"p17" not in path.read_bytes() or path.suffix == ".npz", path.name
    for path in saved.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays)


def test_training_ids_are_salted_and_stay_local(saved: Path, copy: Path) -> None:
    kept = json.loads((saved / "local" / "training_ids.json").read_text())
    assert len(kept["salt"]) == 32
    assert all(len(d) == 64 for d in kept["sha256"])
    assert stat.S_IMODE((saved / "local").stat().st_mode) == 0o700
    shutil.rmtree(copy / "local")
    load_bundle(copy)


def test_no_pickle_is_loaded(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    load_bundle(saved).suggest(small_records(5))


def test_a_changed_file_is_refused(copy: Path) -> None:
    for path in files_of(copy):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BundleError, match=r"changed|cannot be understood"):
            load_bundle(copy)
        path.write_bytes(whole)
    load_bundle(copy)


def test_a_missing_file_is_refused(copy: Path) -> None:
    for path in files_of(copy):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(BundleError, match=r"missing|no manifest"):
            load_bundle(copy)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["extra.json", "model/extra.pkl", ".hidden"])
def test_an_extra_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).write_text("{}")
    with pytest.raises(BundleError, match="extra"):
        load_bundle(copy)


def test_a_link_is_refused(copy: Path) -> None:
    target = copy / "encoder.json"
    target.rename(copy.parent / "elsewhere.json")
    target.symlink_to(copy.parent / "elsewhere.json")
    with pytest.raises(BundleError, match="changed"):
        load_bundle(copy)


def test_a_bundle_of_format_1_still_loads(fitted: Diagnoser, copy: Path) -> None:
    learned = json.loads((copy / "diagnoser.json").read_text())
    for name in ("policy", "red_flags"):
        del learned[name]
    new = learned["calibration"]
    learned["calibration"] = {
        **{name: new[name] for name in ("flag_at", "log_loss_before", "log_loss_after")},
        "beta": 0.9,
        "set_at": 0.25,
    }
    (copy / "diagnoser.json").write_text(json.dumps(learned))
    files = {name: sha for name, sha in _digests(copy).items() if name != "manifest.json"}
    manifest = {"format": 1, "files": files}
    (copy / "manifest.json").write_text(json.dumps({**manifest, "sha256": _self_digest(manifest)}))
    ids = json.loads((copy / "local" / "training_ids.json").read_text())
    old_ids = [hashlib.sha256(f"{ids['salt']}:c3".encode()).hexdigest()]
    (copy / "local" / "training_ids.json").write_text(json.dumps({"salt": ids["salt"], "sha256": old_ids}))
    old, records = load_bundle(copy), small_records(20)
    raw = fitted.raw_scores(records)
    np.testing.assert_allclose(old.predict_proba(records), softmax(0.9 * raw), atol=1e-12)
    np.testing.assert_array_equal(old.batch(records).in_set, sets(softmax(0.9 * raw), 0.25))
    assert "red-flag rules are switched off" in old.suggest(records[[0]])[0].to_html()
    assert old.training_ids_.seen(small_records(200, seed=1)).sum() == 1
    assert old.adapt(prior={"J45.9": 0.9}).predict_proba(records)[:, -1].mean() > 0.3


def test_a_newer_format_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(BundleError, match="newer release"):
        load_bundle(copy)


@given(where=st.integers(0, 10**6), flip=st.integers(1, 255), cut=st.booleans())
def test_fuzzed_manifests_are_refused(saved: Path, where: int, flip: int, cut: bool) -> None:
    # The manifest is the one file that could vouch for itself.
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(saved, Path(folder) / "copy"))
        whole = (copy / "manifest.json").read_bytes()
        at = where % len(whole)
        broken = whole[:at] if cut else whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
        (copy / "manifest.json").write_bytes(broken)
        try:
            load_bundle(copy)
        except BundleError:
            return
        assert json.loads(broken) == json.loads(whole)  # white space alone was changed


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_no_bundle(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="diagnosis train"):
        load_bundle(tmp_path / place)


def test_saving_replaces_a_bundle_and_nothing_else(fitted: Diagnoser, copy: Path, tmp_path: Path) -> None:
    fitted.save(copy)
    assert load_bundle(copy).name == fitted.name
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match=r"(?i)something else is there"):
        fitted.save(tmp_path / "other")
    assert (tmp_path / "other" / "thesis.docx").exists()


def test_a_failed_save_leaves_nothing(fitted: Diagnoser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(type(fitted.model_), "to_files", full)
    with pytest.raises(OSError, match="No space"):
        fitted.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
