"""What stands behind a page, in both languages: the policy, and what the model learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from diagnosis.suggestions.red_flags import red_flags_of, shipped_red_flags, within_reach

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["policy_text", "trained_on_text"]

_POLICY = {
    "case": {
        "en": "flags chosen on training cases to catch {share} of the cases with one of {n} must-not-miss diagnoses",
        "zh": "阈值由训练病例选定，目标为在 {n} 个不可漏诊诊断的全部病例中检出 {share}",
    },
    "diagnosis": {
        "en": "flags chosen on training cases to catch {share} of the cases of each of {n} must-not-miss diagnoses",
        "zh": "阈值由训练病例选定，目标为检出 {n} 个不可漏诊诊断各 {share} 的病例",
    },
}
_NO_POLICY = {
    "en": "no thresholds: the model knows no diagnosis that is marked must-not-miss",
    "zh": "没有阈值：模型所知诊断均未标记为不可漏诊",
}
_BEFORE = {
    "en": " (chosen before the model was adapted to another prevalence)",
    "zh": "（在模型适配其他患病率之前选定）",
}
_RULES = {
    "en": "; {n} red-flag rules stand beside the model, {known} of them about findings it has words for",
    "zh": "；另有 {n} 条警示规则独立于模型，其中 {known} 条涉及其词表中的所见",
}
_NO_RULES = {"en": "; red-flag rules are switched off", "zh": "；警示规则已关闭"}
_ADAPTED = {
    "prior": {"en": "; adapted to a stated prevalence", "zh": "；已按给定患病率调整"},
    "records": {"en": "; adapted to the prevalence of {n:,.0f} cases", "zh": "；已按 {n:,.0f} 个病例的患病率调整"},
    "site": {"en": "; adapted to the prevalence of {site}", "zh": "；已按 {site} 的患病率调整"},
}


def policy_text(diagnoser: Diagnoser, case: Records) -> dict[str, str]:
    """Say which promises stand behind the flags of a page, and whether red-flag rules are applied."""
    n = int(np.isfinite(diagnoser.calibration_.flag_at).sum())
    adapted = diagnoser.card_.get("adapted")
    stale = adapted is not None and "flags" not in adapted["chosen_here"]
    rules = red_flags_of(case, (*shipped_red_flags(), *diagnoser.red_flags_)) if diagnoser.policy.red_flags else ()
    known = within_reach(tuple(rule.when for rule in rules), diagnoser.vocabulary_)
    made = {}
    for lang in ("en", "zh"):
        text = _POLICY[diagnoser.policy.flags_per] if n else _NO_POLICY
        said = text[lang].format(share=f"{diagnoser.sensitivity:.0%}", n=n) + (_BEFORE[lang] if n and stale else "")
        made[lang] = said + (
            _RULES[lang].format(n=len(rules), known=known) if diagnoser.policy.red_flags else _NO_RULES[lang]
        )
    return made


def trained_on_text(card: Mapping[str, Any]) -> dict[str, str]:
    """Say how many cases of how many patients a model learned from, and what it was adapted to."""
    n, patients, source = card["n_cases"], card["n_patients"], card.get("source")
    said = {
        "en": f"{n:,} cases of {patients:,} patients" + (f" ({source})" if source else ""),
        "zh": f"{patients:,} 名患者的 {n:,} 个病例" + (f"（{source}）" if source else ""),
    }
    adapted = card.get("adapted")
    if adapted is None:
        return said
    kind, _, site = str(adapted["to"]).partition(" ")
    return {lang: text + _ADAPTED[kind][lang].format(n=adapted["n"], site=site) for lang, text in said.items()}
