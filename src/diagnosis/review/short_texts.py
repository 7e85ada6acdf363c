"""Which short texts of a finding may go to somebody else: those that are known to be no person's own words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from diagnosis.vocabulary import Vocabulary

__all__ = ["ShortTexts"]

#: Longer ones count as free text.
LONGEST = 60
# A date, a year, a number to call or to look up, an address in the net; a titre such as 1:2048 is none.
_TELLS = re.compile(
    r"\b\d{1,4}(\s?[./-]\s?)\d{1,2}\1\d{1,4}\b|\d\s?[年月]\s?\d|(?<![\d:.,/])(?:19|20)\d\d(?!\d)|\d{6,}|\d{3}[ -]\d{4}|@|://"
)
# A number, a range, a titre, a pressure, pluses, a blood group.
_MEASURED = re.compile(r"[<>≤≥~]?\s?\d[\d.,:/×+ -]*%?|\+{1,4}|(?:A|B|AB|O)(?: Rh)?[+-]?", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z][\w.]*:[\w.-]+")
# Where no sentence belongs (a specimen, a site of the body), words of small letters are no name.
_SMALL = re.compile(r"[a-z][a-z ,/()-]*")
_COMMON = frozenset(
    (
        *("positive", "negative", "weakly positive", "indeterminate", "reactive", "nonreactive", "normal", "abnormal"),
        *("raised", "trace", "none", "yes", "no", "left", "right", "bilateral", "both"),
        *("阳性", "弱阳性", "阴性", "可疑", "正常", "异常", "增高", "降低", "有", "无", "是", "否"),
        *("左", "右", "左侧", "右侧", "双侧", "血", "全血", "血清", "血浆", "静脉血", "动脉血", "末梢血"),
        *("尿", "尿液", "粪便", "痰", "痰液", "咽拭子", "鼻咽拭子", "脑脊液", "胸水", "腹水"),
    )
)


@dataclass(frozen=True, slots=True)
class ShortTexts:
    """What is known to be no person's own words.

    Parameters
    ----------
    known : set of str
        In small letters: what the vocabulary says, what a model learned of, what the sender has looked at.
    ids : tuple of str
        In small letters: of the case, its patient and its place; a text that holds one stays behind.
    """

    known: frozenset[str]
    ids: tuple[str, ...]

    @classmethod
    def of(cls, words: Vocabulary, ids: tuple[str, ...], more: Collection[str]) -> ShortTexts:
        """Gather them from a vocabulary and from texts that are known elsewhere."""
        return cls(frozenset(one.casefold().strip() for one in (*_said(words), *more)) | _COMMON, ids)

    def is_long(self, text: str) -> bool:
        """Whether it counts as free text by its length; what is known by heart does not."""
        return len(text) > LONGEST and text.casefold().strip() not in self.known

    def tells(self, text: str) -> bool:
        """Whether it holds a date, a long number, an address or an id."""
        return bool(_TELLS.search(text)) or any(one in text.casefold() for one in self.ids)

    def is_known(self, text: str, *, small: bool = False) -> bool:
        """Whether it is a known word, a measurement or a code; with `small`, also words of small letters."""
        return all(self._part(part.strip(), small) for part in text.split("|"))

    def _part(self, text: str, small: bool) -> bool:
        if text.casefold() in self.known or _MEASURED.fullmatch(text) or _CODE.fullmatch(text):
            return True
        return small and bool(_SMALL.fullmatch(text))


def _said(words: Vocabulary) -> Iterator[str]:
    for terms in (words.findings, words.diagnoses):
        for code, term in terms.items():
            yield code
            yield from term.names.values()
            yield from term.synonyms
