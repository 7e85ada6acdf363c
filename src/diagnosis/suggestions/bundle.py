"""A fitted diagnoser as a folder of plain files, checked to the last byte on the way in. Nothing in it is code.

``manifest.json`` names every file with its SHA-256, and itself; a changed, missing or extra file is refused. That is
integrity, not authenticity: whoever can write the folder can write a new manifest. ``local/`` holds salted digests of
the training ids and never leaves the site; it is not part of the manifest and may be deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diagnosis.errors import BundleError, InputError
from diagnosis.explanation import AnswerCounts
from diagnosis.features import FindingEncoder
from diagnosis.models.registry import MODELS
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.suggestions.calibrated import Calibrated
from diagnosis.suggestions.neighbours import Neighbours
from diagnosis.suggestions.policy import Policy
from diagnosis.suggestions.red_flags import read_red_flags
from diagnosis.suggestions.reference_reading import read_reading, write_reading
from diagnosis.suggestions.training_ids import TrainingIds
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["FORMAT", "bundle_digest", "load_bundle", "save_bundle", "write_learned"]

FORMAT = 2
_MANIFEST = "manifest.json"
_CARD = "card.json"
_ANSWERS = "answers.npz"
_LOCAL = "local"
_TRAINING_IDS, _NEIGHBOURS = "training_ids.json", "neighbours.npz"
_PARAMS = (
    *("as_of", "unknown_time", "label_status", "min_cases", "rest", "top", "coverage", "sensitivity", "target"),
    *("weighted", "folds", "seed"),
)

#: What stood behind a model of format 1.
_FIRST_POLICY = Policy(calibration="temperature", set_by=(), flags_per="diagnosis", red_flags=False, masking="off")


def save_bundle(diagnoser: Diagnoser, folder: Path, provenance: Mapping[str, Any]) -> Path:
    """Write the folder, whole or not at all; an earlier bundle at that path is replaced, anything else refused."""
    if folder.exists() and not (folder / _MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"a free path or an earlier model at {folder}", "something else is there", "name another folder"
        )
    with whole_folder(folder) as made:
        write_learned(diagnoser, made, provenance)
        _write_json(made / _MANIFEST, _manifest(made))
        _write_local(made / _LOCAL, diagnoser)
    return folder


def write_learned(diagnoser: Diagnoser, folder: Path, provenance: Mapping[str, Any]) -> None:
    """Write everything learned; equal diagnosers give equal bytes."""
    kind = next((name for name, cls in MODELS.items() if type(diagnoser.model_) is cls), None)
    if kind is None:
        raise InputError(
            f"a model that can be read back: {', '.join(MODELS)}",
            f"found {type(diagnoser.model_).__name__}",
            "save a diagnoser with one of these models",
        )
    learned = {
        "params": {name: getattr(diagnoser, name) for name in _PARAMS},
        "model": kind,
        "classes": [str(c) for c in diagnoser.classes_],
        "pooled": sorted(diagnoser.pooled_),
        "policy": diagnoser.policy.to_json(),
        "calibration": diagnoser.calibration_.to_json(),
        "red_flags": [rule.to_row() for rule in diagnoser.red_flags_],
    }
    _write_json(folder / "diagnoser.json", learned)
    _write_json(folder / "encoder.json", diagnoser.encoder_.to_json())
    words = diagnoser.vocabulary_
    _write_json(folder / "vocabulary.json", {"findings": words.finding_rows(), "diagnoses": words.diagnosis_rows()})
    came_from = dict(provenance) or diagnoser.card_.get("provenance", {})
    _write_json(folder / _CARD, {**diagnoser.card_, "provenance": came_from})
    (folder / "model").mkdir()
    diagnoser.model_.to_files(folder / "model")
    if diagnoser.answers_ is not None:
        diagnoser.answers_.to_file(folder / _ANSWERS)
    if diagnoser.reading_ is not None:
        write_reading(diagnoser.reading_, folder / "reading")


def bundle_digest(folder: Path) -> str:
    """SHA-256 over what was learned (the card, which says how it came about, is left out)."""
    seen = hashlib.sha256()
    for name, digest in _digests(folder).items():
        if name not in (_CARD, _MANIFEST):
            seen.update(f"{name} {digest}\n".encode())
    return seen.hexdigest()


def load_bundle(folder: str | Path) -> Diagnoser:
    """Read a folder that `Diagnoser.save` wrote.

    Raises
    ------
    BundleError
        It is no such folder, was written by a newer release, or a file of it is changed, missing or extra.
    """
    from diagnosis.suggestions.diagnoser import Diagnoser

    path = Path(folder)
    _verify(path)
    try:
        learned, card = _read_json(path / "diagnoser.json"), _read_json(path / _CARD)
        words = _read_json(path / "vocabulary.json")
        params = {**learned["params"], "label_status": tuple(learned["params"]["label_status"])}
        policy = Policy.from_json(learned["policy"]) if "policy" in learned else _FIRST_POLICY
        made = Diagnoser(learned["model"], **params, policy=policy)
        made.calibration_ = _calibration(learned, card)
        made.red_flags_ = read_red_flags(learned.get("red_flags", ()))
        made.encoder_ = FindingEncoder.from_json(_read_json(path / "encoder.json"))
        made.model_ = MODELS[learned["model"]].from_files(path / "model")
        made.reading_ = read_reading(path / "reading", learned["model"])
        made.classes_ = np.array(learned["classes"], dtype=object)
        made.pooled_ = frozenset(learned["pooled"])
        made.vocabulary_ = Vocabulary.from_rows(words["findings"], words["diagnoses"])
        made.card_ = _checked_card(card, learned["classes"])
        made.training_ids_, made.neighbours_ = _local(path / _LOCAL)
        # Bundles written before questions were asked have none.
        made.answers_ = AnswerCounts.from_file(path / _ANSWERS) if (path / _ANSWERS).is_file() else None
    except BundleError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise BundleError(
            f"a saved model at {path}",
            f"its files are whole but cannot be understood ({type(error).__name__})",
            "save the model again with this release",
        ) from error
    return made


def _calibration(learned: Mapping[str, Any], card: Mapping[str, Any]) -> Calibrated:
    plain = learned["calibration"]
    if "scale" in plain:
        return Calibrated.from_json(plain)
    counts = np.array([card["n_by_diagnosis"][c] for c in learned["classes"]], dtype=np.float64)
    return Calibrated.from_first_format(plain, float(learned["params"]["coverage"]), counts / counts.sum())


def _checked_card(card: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """The card, if it has what suggestions read of it."""
    if not {"age_days", "n_cases"} <= card.keys() or not set(classes) <= card["n_by_diagnosis"].keys():
        raise KeyError("card.json")
    return card


def _verify(path: Path) -> None:
    """Refuse a folder whose files are not exactly those that were written."""
    if not (path / _MANIFEST).is_file():
        found = "that folder has no manifest.json" if path.is_dir() else "there is no folder at that path"
        raise BundleError(f"a saved model at {path}", found, "name a folder that `save` or `diagnosis train` wrote")
    try:
        manifest = _read_json(path / _MANIFEST)
        files, version, own = dict(manifest["files"]), manifest["format"], manifest["sha256"]
    except (KeyError, TypeError, ValueError, OSError):
        raise _refused(path, "manifest.json cannot be understood") from None
    if not isinstance(version, int) or isinstance(version, bool):
        raise _refused(path, "manifest.json cannot be understood")
    if version > FORMAT:
        raise BundleError(
            f"a saved model of format {FORMAT} or lower at {path}",
            f"it is of format {version}",
            "load it with a newer release of this library",
        )
    if own != _self_digest(manifest):
        raise _refused(path, "manifest.json was changed")
    there = _digests(path)
    there.pop(_MANIFEST)
    for name in sorted(set(files) | set(there)):
        if name not in there:
            raise _refused(path, f"{name} is missing")
        if name not in files:
            raise _refused(path, f"{name} is extra")
        if files[name] != there[name]:
            raise _refused(path, f"{name} was changed")


def _refused(path: Path, found: str) -> BundleError:
    return BundleError(f"the saved model at {path} as it was written", found, "copy or save the model again")


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below the folder but those of ``local/``, by relative name, sorted."""
    made = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == _LOCAL or name.startswith(f"{_LOCAL}/"):
            continue
        if path.is_symlink():
            made[name] = "a link"
        elif path.is_file():
            made[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return made


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = {"format": FORMAT, "files": _digests(folder)}
    return {**manifest, "sha256": _self_digest(manifest)}


def _self_digest(manifest: Mapping[str, Any]) -> str:
    rest = {k: v for k, v in manifest.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _write_local(folder: Path, diagnoser: Diagnoser) -> None:
    """Keep what never leaves the site: salted digests of the training ids, and training cases to compare with."""
    if not len(diagnoser.training_ids_):
        return
    folder.mkdir(mode=0o700)
    _write_json(folder / _TRAINING_IDS, diagnoser.training_ids_.to_json())
    if diagnoser.neighbours_ is not None:
        diagnoser.neighbours_.write(folder / _NEIGHBOURS)


def _local(folder: Path) -> tuple[TrainingIds, Neighbours | None]:
    """Read them where they are; a model that travelled without them knows neither."""
    ids, rows = folder / _TRAINING_IDS, folder / _NEIGHBOURS
    known = TrainingIds.from_json(_read_json(ids)) if ids.is_file() else TrainingIds()
    return known, Neighbours.read(rows) if rows.is_file() else None


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
