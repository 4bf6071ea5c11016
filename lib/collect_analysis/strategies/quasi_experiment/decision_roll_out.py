"""May a roll-out be judged from its panel? The conditions beside those of the estimate itself; codes and numbers, no wording."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.levels import POWER

LEVEL = 0.05
MOST_GAPS = 0.10
MOST_MISSING = 0.05
# A side of a test by lot needs as many clusters as an interval does.
CLUSTERS_A_SIDE = 6


@dataclass(frozen=True, kw_only=True)
class RolloutFacts:
    """What the conditions are judged from; `low`, `high` of the answer, `lots_p` of the randomisation test."""

    clusters: int
    gaps: int
    cases: int
    unusable: int
    starts_within: int
    low: float
    high: float
    lots_p: float


def requirements(facts: RolloutFacts) -> list[Condition]:
    """Is the panel whole, and do interval and lots say the same?

    Downgrading: a tenth of the clusters has gaps, a twentieth of the cases no day or outcome, an interval without zero while the order of
    starts, shuffled, gives an effect as large in more than one of twenty tries. Note: starts in the middle of a period.
    """
    gaps = facts.gaps / max(facts.clusters + facts.gaps, 1)
    unusable = facts.unusable / max(facts.cases + facts.unusable, 1)
    told = facts.low > 0 or facts.high < 0
    return [
        Condition(
            name="panel_whole", met=gaps <= MOST_GAPS, consequence="downgrade", details={"gaps": facts.gaps, "clusters": facts.clusters}
        ),
        Condition(
            name="panel_known",
            met=unusable <= MOST_MISSING,
            consequence="downgrade",
            details={"unusable": facts.unusable, "unusable_share": unusable},
        ),
        Condition(name="lots_agree", met=not (told and facts.lots_p >= LEVEL), consequence="downgrade", details={"p_value": facts.lots_p}),
        Condition(name="starts_whole", met=not facts.starts_within, consequence="note", details={"starts": facts.starts_within}),
    ]


def clusters_for(error: float, clusters: int, target: float, *, power: float = POWER) -> float:
    """How many clusters like these would a roll-out by lot need to find an effect of `target`?

    Formula: the k at which k = clusters · ((t(0.975) + t(power)) · error / target)², t with k-2 degrees of freedom, the error being that of
    this roll-out; at least `CLUSTERS_A_SIDE` on either side. Undefined (NaN): no error, no target.
    Source: Snedecor & Cochran; with few clusters the normal quantiles promise too much.
    """
    if not (np.isfinite(error) and error > 0 and np.isfinite(target) and target > 0):
        return float("nan")

    def short(k: float) -> float:
        factor = stats.t.ppf(1 - LEVEL / 2, k - 2) + stats.t.ppf(power, k - 2)
        return float(clusters * (factor * error / target) ** 2 - k)

    least = 2.0 * CLUSTERS_A_SIDE
    if short(least) <= 0:
        return least
    # Quantiles of t fall with k, so that what the fewest degrees ask for is enough.
    return float(np.ceil(optimize.brentq(short, least, short(least) + least)))
