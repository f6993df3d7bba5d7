"""The keep gate as research loops publish it, for comparison: what it asks, and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping

from trajscope.keep.settings import GateSettings, Guard, Margin, Metric, Part

UNSAID = "as published: p < .05, d > .3 and a margin, once, against whatever stands"


def published(
    primary: Metric,
    *,
    guards: tuple[Guard, ...] = (),
    margins: tuple[Margin, ...] = (),
    without: Mapping[Part, str] | None = None,
) -> GateSettings:
    """The settings of the published triple: two-sided Welch p < .05 and better, d > .3, a margin over degenerates.

    What it cannot do: it keeps 2.3 of 100 proposals that change nothing; its d > .3 binds nothing, since at five seeds
    p < .05 implies d > 1.45; a gain that is bought by a shortcut passes it the better the less the seeds still differ;
    it confirms nothing and holds nothing out. A missing guard is a GateError here too, unlike where it was published.
    """
    gone: dict[Part, str] = dict.fromkeys(("variance", "incumbent", "confirmation", "holdout"), UNSAID)
    return GateSettings(
        primary=primary,
        guards=guards,
        margins=margins,
        test="welch",
        alpha=0.025,  # the half of a two-sided .05 on which it is better
        min_d=0.3,
        without={**gone, **(without or {})},
    )
