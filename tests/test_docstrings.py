"""Every example in a docstring is run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src"


def modules_with_examples() -> list[str]:
    found = []
    for file in sorted((SOURCE / "diagnosis").rglob("*.py")):
        if ">>> " in file.read_text(encoding="utf-8"):
            parts = file.relative_to(SOURCE).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("configs", "data"):  # examples name files as a reader in the checkout would
        (tmp_path / folder).symlink_to(CHECKOUT / folder)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    for example in doctest.DocTestFinder(exclude_empty=True).find(import_module(name), name):
        runner.run(example, out=said.append)
    assert runner.tries, f"{name} holds >>> and no example was found"
    assert not runner.failures, "\n" + "".join(said)


def test_examples_are_found() -> None:
    assert "diagnosis.errors" in modules_with_examples()
