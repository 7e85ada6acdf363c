"""The plots of a `GlobalEvidence`: its numbers handed to the pages' plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from diagnosis.explanation.global_evidence import GlobalEvidence, GlobalFinding
    from diagnosis.pages.plot import Plot

__all__ = ["GlobalPlots"]


@dataclass(frozen=True, slots=True, eq=False)
class GlobalPlots:
    """``plot.bar()``, ``plot.beeswarm()`` and ``plot.dependence(finding)``."""

    evidence: GlobalEvidence

    def bar(self, top: int = 12) -> Plot:
        """How much the findings count that count most, which way, and how that varies over refits."""
        from diagnosis.pages.finding_plots import bar_plot
        from diagnosis.pages.translations import phrase

        e, shown = self.evidence, self.evidence.findings[:top]
        notes = []
        for one in shown:
            said = phrase("plot.n", e.lang, {"n": f"{one.n_recorded:,}"})
            said += f" · {phrase('plot.group', e.lang, {'names': e.shared_with(one)})}" if e.shared_with(one) else ""
            notes.append(said)
        spans = [None if e.stability is None else _span(e, one) for one in shown]
        title = phrase("plot.bar", e.lang, {"name": e.name})
        names, signs = [one.name for one in shown], [_SIGNS[one.direction] for one in shown]
        return bar_plot(title, names, [one.importance for one in shown], signs, notes, spans, e.lang)

    def beeswarm(self, top: int = 12) -> Plot:
        """Every case a dot: what each finding adds there, and what was recorded."""
        from diagnosis.explanation.global_evidence import as_numbers
        from diagnosis.pages.finding_plots import swarm_plot
        from diagnosis.pages.translations import phrase

        e = self.evidence
        title = phrase("plot.swarm", e.lang, {"name": e.name})
        names = [one.name for one in e.findings[:top]]
        return swarm_plot(title, names, e.contributions[:, :top], as_numbers(e.cells[:, :top]), e.lang)

    def dependence(self, finding: str) -> Plot:
        """What a finding adds over its values, or in each of its states.

        Parameters
        ----------
        finding : str
            Code or name.
        """
        from diagnosis.pages.finding_plots import course_plot
        from diagnosis.pages.translations import phrase

        e, found = self.evidence, self.evidence.dependence(finding)
        title = phrase("plot.course", e.lang, {"name": e.name, "finding": found.finding_name})
        axis = f"{found.finding_name} [{found.unit}]" if found.unit else found.finding_name
        steps = [(one.label, one.middle, one.mean) for one in found.steps]
        return course_plot(title, axis, found.cells, np.asarray(found.contributions), steps, e.lang)


_SIGNS = {"for": 1, "higher for": 1, "against": -1, "lower for": -1, "absent for": -1, "absent against": 1, "mixed": 0}


def _span(evidence: GlobalEvidence, one: GlobalFinding) -> tuple[float, float] | None:
    found = evidence.stability
    if found is None or one.code not in found.low:
        return None
    return found.low[one.code], found.high[one.code]
