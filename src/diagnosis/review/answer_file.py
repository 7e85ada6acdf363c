"""The form that went with a consultation packet, read when it comes back filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from diagnosis.errors import InputError, nearest
from diagnosis.review.answer import Verdict

__all__ = ["FIELDS", "Answer", "number_of", "read_answer"]

#: What the form asks.
FIELDS = (
    *("packet", "proof", "reviewer", "first_idea", "verdict", "diagnosis", "diagnosis_text", "basis", "reason"),
    *("comment", "minutes"),
)
_LARGEST = 200_000  # bytes
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# What comes back instead, by its first bytes.
_NO_TEXTS = {
    b"%PDF": "PDF",
    b"PK\x03\x04": "zip archive or a document of an office program",
    b"\xd0\xcf\x11\xe0": "document of an office program",
    b"{\\rtf": "document of an office program",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"II*\0": "picture",
    b"MM\0*": "picture",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A filled-in form; empty fields are None.

    Parameters
    ----------
    packet, proof : str
        Which packet it answers.
    values : dict of str to str or None
        The other fields by name.
    """

    packet: str
    proof: str
    values: dict[str, str | None]


def read_answer(path: str | Path) -> Answer:
    """Read a form that came back.

    Raises
    ------
    InputError
        It cannot be read, is no form, lacks who answered or what, or holds a field that is none.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError("an answer file", f"{path.name} cannot be read: {error.strerror}", "check the path") from None
    if len(raw) > _LARGEST:
        raise InputError(f"an answer file of at most {_LARGEST:,} bytes", "found a larger one", "send the form alone")
    values = _parsed(raw, path.name)
    for name in values.keys() - set(FIELDS):
        near = nearest(name, FIELDS)
        raise InputError("the fields of the form", f"found another one: {name[:40]!r}", "use its own", near=near)
    texts = {name: " ".join(str(value).split()) or None for name, value in values.items()}
    if not texts.get("packet") or not texts.get("proof"):
        raise InputError("the first two lines of the form", "they are missing", "use the form as it was sent")
    if texts.get("verdict") is None or texts.get("reviewer") is None:
        wanted = f"`reviewer` and `verdict` ({', '.join(get_args(Verdict))})"
        raise InputError(f"an answer says {wanted}", "one of them is empty", "ask the reviewer to fill it in")
    given = {name: texts.get(name) for name in FIELDS if name not in ("packet", "proof")}
    return Answer(str(texts["packet"]), str(texts["proof"]), given)


def number_of(text: str) -> float:
    """Return a number that somebody wrote, with a point or a comma.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError("minutes as a number", "found another text", "write 5, or leave it empty") from None


def _parsed(raw: bytes, name: str) -> dict[str, Any]:
    kind = next((kind for start, kind in _NO_TEXTS.items() if raw.startswith(start)), None)
    if kind or (b"\0" in raw and not raw.startswith(_UTF16)):
        kind = kind or "file of a program, no text"
        advice = "ask for the file answer.yaml itself, filled in with a plain text editor; of an archive, take it out"
        raise InputError("the text file answer.yaml", f"{name} is a {kind}", advice)
    try:
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        found = f"{name} has another encoding"
        raise InputError("an answer file in UTF-8", found, 'open it in a text editor and save it as "UTF-8"') from None
    try:
        values = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  it makes nothing but text
    except (yaml.YAMLError, RecursionError):
        values = None
    plain = isinstance(values, dict) and all(isinstance(v, str) for pair in values.items() for v in pair)
    if not plain:
        raise InputError("an answer file of lines `field: text`", f"{name} is none", "put texts with : in quotes")
    return dict(values)
