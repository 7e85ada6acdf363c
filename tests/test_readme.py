"""What the README shows is run: its Python blocks in order, in one session, as a reader would type them."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^```python[^\S\n]*\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> list[tuple[int, str]]:
    """(line, source) of every fence marked python."""
    return [(text.count("\n", 0, m.start(1)) + 1, m.group(1)) for m in _FENCE.finditer(text)]


def run(text: str, name: str, names: dict[str, object]) -> int:
    """Run every block with shared names; say the line of the one that fails."""
    done = blocks(text)
    for line, source in done:
        if ">>> " not in source:
            exec(compile("\n" * (line - 1) + source, name, "exec"), names)  # the README is ours
            continue
        said: list[str] = []
        example = doctest.DocTestParser().get_doctest(source, names, name, name, line - 1)
        runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
        runner.run(example, out=said.append, clear_globs=False)
        names.update(example.globs)
        assert not runner.failures, "\n" + "".join(said)
    return len(done)


@pytest.mark.slow
def test_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("configs", "data"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    count = run((CHECKOUT / "README.md").read_text(encoding="utf-8"), "README.md", {"__name__": "readme"})
    assert count, "the README shows no Python"


def test_files_the_readme_names_exist() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
    missing = [link for link in links if not (CHECKOUT / link).exists()]
    assert not missing, f"the README links to what is not there: {missing}"


def test_blocks_share_names_and_lines_are_right() -> None:
    text = "# x\n```python\na = 1\n```\n```sh\nnot python\n```\n```python\n>>> a + 1\n2\n```\n"
    assert blocks(text) == [(3, "a = 1\n"), (9, ">>> a + 1\n2\n")]
    assert run(text, "text", {}) == 2


def test_a_wrong_block_fails() -> None:
    with pytest.raises(AssertionError, match="Expected"):
        run("```python\n>>> 1 + 1\n3\n```\n", "text", {})
    with pytest.raises(NameError):
        run("```python\nmissing\n```\n", "text", {})
