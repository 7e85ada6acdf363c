"""A saved model that was damaged in any way is refused with one clear error, and nothing in it is ever unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.small import small_records

from diagnosis import Diagnoser, load_diagnoser
from diagnosis.errors import BundleError
from diagnosis.suggestions.bundle import load_bundle

RECORDS = small_records(120)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = Diagnoser(model="hybrid", folds=2)
    return model.fit(RECORDS).save(tmp_path_factory.mktemp("saved") / "bundle")


@pytest.fixture(scope="module")
def copy(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(bundle, tmp_path_factory.mktemp("copy") / "bundle"))


@pytest.fixture(autouse=True)
def _no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way in which Python unpickles a failure that no error of ours hides."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (joblib, "load")):
        monkeypatch.setattr(module, name, refuse)


def files_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != "local")


def test_it_loads_where_pickle_is_blocked(bundle: Path):
    loaded = load_diagnoser(bundle)
    assert len(loaded.suggest(RECORDS[:5])) == 5
    with pytest.raises(AssertionError, match="unpickled"):
        pickle.loads(b"")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_a_cut_and_an_added_byte_are_refused(bundle: Path, copy: Path, data: st.DataObject):
    files = files_of(copy)
    path = files[data.draw(st.integers(0, len(files) - 1))]
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damage: Callable[[], bytes] = data.draw(
        st.sampled_from(
            [
                lambda: whole[:at] + bytes([whole[at] ^ (1 << (at % 8))]) + whole[at + 1 :],
                lambda: whole[:at],
                lambda: whole + whole[at : at + 1],
                lambda: whole[:at] + whole[at + 1 :],
            ]
        )
    )
    path.write_bytes(damage())
    try:
        with pytest.raises(BundleError):
            load_bundle(copy)
    finally:
        path.write_bytes(whole)


def test_every_file_is_missed_and_every_other_one_is_refused(copy: Path):
    for path in files_of(copy):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(BundleError, match=r"is missing|no manifest"):
            load_bundle(copy)
        path.write_bytes(whole)
    for name in ("model.pkl", "model/extra.npz", "__init__.py"):
        (copy / name).write_bytes(b"x")
        with pytest.raises(BundleError, match=f"{name} is extra"):
            load_bundle(copy)
        (copy / name).unlink()
    load_bundle(copy)


@pytest.mark.parametrize("name", ["diagnoser.json", "encoder.json", "vocabulary.json", "card.json", "answers.npz"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"params": {}}', b"\x80\x04\x95"])
def test_a_file_that_fits_its_manifest_and_makes_no_sense_is_refused(copy: Path, name: str, content: bytes):
    """Whoever can write the folder can write a manifest for it: what it names is still not trusted."""
    from diagnosis.suggestions.bundle import _manifest

    kept = {path: (copy / path).read_bytes() for path in ("manifest.json", name)}
    (copy / name).write_bytes(content)
    (copy / "manifest.json").unlink()
    (copy / "manifest.json").write_text(json.dumps(_manifest(copy)), encoding="utf-8")
    try:
        with pytest.raises(BundleError):
            load_bundle(copy).suggest(RECORDS[:2])
    finally:
        for path, whole in kept.items():
            (copy / path).write_bytes(whole)


def test_arrays_of_objects_are_refused(copy: Path):
    from diagnosis.suggestions.bundle import _manifest

    kept = {path: (copy / path).read_bytes() for path in ("manifest.json", "answers.npz")}
    np.savez(copy / "answers.npz", counts=np.array([{"a": 1}], dtype=object))
    (copy / "manifest.json").unlink()
    (copy / "manifest.json").write_text(json.dumps(_manifest(copy)), encoding="utf-8")
    try:
        with pytest.raises(BundleError):
            load_bundle(copy)
    finally:
        for path, whole in kept.items():
            (copy / path).write_bytes(whole)


@pytest.mark.parametrize("format", [99, "2", None])
def test_a_model_of_a_newer_release_is_refused(copy: Path, format: object):
    from diagnosis.suggestions.bundle import _self_digest

    kept = (copy / "manifest.json").read_bytes()
    manifest = {**json.loads(kept), "format": format}
    (copy / "manifest.json").write_text(json.dumps({**manifest, "sha256": _self_digest(manifest)}), encoding="utf-8")
    try:
        with pytest.raises(BundleError, match="newer release" if format == 99 else "manifest"):
            load_bundle(copy)
    finally:
        (copy / "manifest.json").write_bytes(kept)
