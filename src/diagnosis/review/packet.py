"""A consultation packet: one case for a remote expert, de-identified, and a form to answer on."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
import tempfile
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from diagnosis.errors import DiagnosisWarning, InputError
from diagnosis.pages import Reveal, check_reveal
from diagnosis.pages.translations import check_language
from diagnosis.readers import write_phenopackets
from diagnosis.readers.fhir import case_bundle
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.review.deidentify import deidentified
from diagnosis.review.letter import form_text, letter_text

if TYPE_CHECKING:
    from diagnosis.suggestions import Differential
    from diagnosis.suggestions.diagnoser import Diagnoser, Reading

__all__ = ["Packet", "matching", "write_packet"]


@dataclass(frozen=True, slots=True)
class Packet:
    """What was written.

    Parameters
    ----------
    path : Path
        The folder or zip file.
    id : str
        What the packet is called on its form.
    left : tuple of str
        What was taken out of the case before.
    unwritten : tuple of str
        What the FHIR Bundle or the phenopacket has no place for.
    """

    path: Path
    id: str
    left: tuple[str, ...]
    unwritten: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"packet {self.id} in {self.path}", "taken out:", *(f"  {one}" for one in self.left)])


def write_packet(
    differential: Differential,
    path: str | Path,
    *,
    question: str = "",
    lang: str = "en",
    reveal: Reveal = "at_once",
    texts: Collection[str] = (),
) -> Packet:
    """Write one case with its suggestions, de-identified, as a folder or zip file for a remote expert.

    The de-identified case is scored anew, so that the page speaks of what is sent. Moments keep their distances, ages
    above 89 are pooled; ids, dates, place, free text and the diagnosis stay behind. The answer comes back as
    ``answer.yaml``, which `ReviewLog.merge` takes.

    Parameters
    ----------
    differential : Differential
        The case and its list.
    path : str or path
        A folder that is not there yet, or a file that ends in ``.zip``.
    question : str
        What you would like to know; sent as it is, so name nobody.
    lang : {"en", "zh"}
        Language of the page, the letter and the form.
    reveal : {"at_once", "after_answer"}
        Whether the page's list waits until the expert has written an own first idea. The two JSON files hold the list
        in either case.
    texts : collection of str
        Texts of findings that may go as they are, though neither the vocabulary nor the model knows them: each one that
        you have looked at, such as the name of a rare germ.

    Raises
    ------
    InputError
        Something stands at `path`.
    UnknownNameError
        Another `reveal`, or a language that the pages do not speak.
    """
    check_reveal(reveal)
    check_language(lang)
    target = Path(path)
    if target.exists():
        raise InputError("a new folder or zip file for the packet", f"{target.name} is there already", "name another")
    case, left = deidentified(differential.records, texts=(*_learned_texts(differential.diagnoser), *texts))
    reading = cast("Reading", differential.reading)
    model = _placeless(differential.diagnoser)
    if model.card_ != differential.diagnoser.card_:
        left = (*left, "of the model: where its cases come from")
    shown = model.suggest(case, top=max(len(differential), 1), reading=reading)[0]
    salt = secrets.token_hex(16)
    ident = secrets.token_hex(4)
    bundle, unplaced = case_bundle(case)
    unwritten = [f"FHIR: {n:,} {what}" for what, n in sorted(unplaced.items())]
    with _made(target) as folder:
        (folder / "case.html").write_text(shown.to_html(lang=lang, reveal=reveal), encoding="utf-8")
        bundle["entry"].append({"resource": {"id": "suggestions", **shown.to_fhir()}})
        (folder / "case.fhir.json").write_text(json.dumps(bundle, ensure_ascii=False, indent=1), encoding="utf-8")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", DiagnosisWarning)
            # The day of writing is a date of the patient's care, as the others are.
            write_phenopackets(case, folder / "case.phenopacket.json", [shown], created="2000-01-01T00:00:00Z")
        unwritten += [f"phenopacket: {one.message}" for one in said]
        (folder / "answer.yaml").write_text(form_text(ident, _proof(salt, differential), lang), encoding="utf-8")
        text = letter_text(question, left, unwritten, lang)
        (folder / "README.txt").write_text(text, encoding="utf-8")
    return Packet(target, ident, left, tuple(unwritten))


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """Yield a folder that becomes the folder or the zip file at `target`, whole or not at all."""
    if target.suffix.lower() != ".zip":
        with whole_folder(target) as folder:
            yield folder
        return
    if not target.absolute().parent.is_dir():
        raise InputError("a zip file in a folder", f"there is no folder {target.absolute().parent}", "make it first")
    with tempfile.TemporaryDirectory(prefix=".packet.", dir=target.absolute().parent) as name:
        folder, file = Path(name) / "packet", Path(name) / "packet.zip"
        folder.mkdir()
        yield folder
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in sorted(folder.iterdir()):
                entry = zipfile.ZipInfo(f"{target.stem}/{one.name}")
                entry.external_attr = 0o600 << 16
                archive.writestr(entry, one.read_bytes(), zipfile.ZIP_DEFLATED)
        file.chmod(0o600)
        file.replace(target)


def matching(proof: str, differentials: Iterable[Differential]) -> Differential:
    """Return the differential that a packet was made of.

    Raises
    ------
    InputError
        None of them is, or their records or model have changed since.
    """
    salt = proof.partition("-")[0]
    for one in differentials:
        if _proof(salt, one) == proof:
            return one
    raise InputError(
        "the differential that the packet was made of",
        "none of these is: another case, or its record or model has changed since",
        "give the differentials as they were when the packet was written",
    )


def _learned_texts(diagnoser: Diagnoser) -> Iterator[str]:
    """Yield the texts that have a column of their own: more than one patient had them."""
    names = (str(name) for name in diagnoser.encoder_.get_feature_names_out())
    return (name.partition("=")[2] for name in names if "=" in name)


def _placeless(diagnoser: Diagnoser) -> Diagnoser:
    """Return the same model, its page silent about the hospital it learned from and the site it was adapted to."""
    made, card = copy.copy(diagnoser), dict(diagnoser.card_)
    if card.get("source"):
        card["source"] = None
    adapted = card.get("adapted")
    if adapted is not None and str(adapted["to"]).startswith("site "):
        card["adapted"] = {**adapted, "to": "records"}
    made.card_ = card
    made.__dict__["fingerprint"] = diagnoser.fingerprint  # it is that model
    return made


def _proof(salt: str, differential: Differential) -> str:
    """Return what ties a form to its case and says nothing about it: a salted hash of the whole record."""
    about = f"{salt}\n{differential.records.digest()}\n{differential.model}\n{differential.case_id}"
    return f"{salt}-{hashlib.sha256(about.encode()).hexdigest()}"
