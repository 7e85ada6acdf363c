"""From what a person writes to a code: by code, name or synonym, in any language, case and width."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from diagnosis.errors import UnknownCodeError, nearest
from diagnosis.vocabulary.term import Term

__all__ = ["Index"]


class Index:
    """The words that terms go by. Codes win over names, names over synonyms, exact writing over another case or width.

    Parameters
    ----------
    terms : iterable of Term
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        terms = tuple(terms)
        self._codes = frozenset(t.code for t in terms)
        self._levels = (
            _words((t.code, t.code) for t in terms),
            _words((name, t.code) for t in terms for name in t.names.values()),
            _words((synonym, t.code) for t in terms for synonym in t.synonyms),
        )
        self._folded = tuple(_folded(level) for level in self._levels)

    def code(self, text: str, asked: str) -> str:
        """The one code that `text` means.

        Raises
        ------
        UnknownCodeError
            No term goes by it, or several do.
        """
        for levels, word in ((self._levels, text), (self._folded, _fold(text))):
            for level in levels:
                found = level.get(word)
                if found and len(found) == 1:
                    return next(iter(found))
                if found:
                    raise _ambiguous(text, asked, sorted(found))
        raise UnknownCodeError(
            f"asked for {asked} by code, name or synonym",
            f"{text!r} is none of the {len(self._codes):,} known",
            "use one of the known names",
            codes=[text],
            near=nearest(text, [word for level in self._levels for word in level]),
        )


def _words(pairs: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    made: dict[str, set[str]] = defaultdict(set)
    for word, code in pairs:
        made[word].add(code)
    return dict(made)


def _folded(level: Mapping[str, set[str]]) -> Mapping[str, set[str]]:
    return _words((_fold(word), code) for word, codes in level.items() for code in codes)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _ambiguous(text: str, asked: str, codes: list[str]) -> UnknownCodeError:
    return UnknownCodeError(
        f"asked for {asked} by code, name or synonym",
        f"{text!r} is a name of {len(codes):,} of them: {', '.join(codes[:5])}",
        "use the code",
        codes=codes,
    )
