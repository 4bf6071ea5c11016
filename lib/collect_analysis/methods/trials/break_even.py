"""How much more must an arm collect to pay for what it costs more?"""

import numpy as np
import pandas as pd

COLUMNS = [
    "arm",
    "base_cash",
    "kept",
    "extra_cost",
    "value",
    "low",
    "high",
    "relative",
    "relative_low",
    "relative_high",
    "observed",
    "note",
]
NOTHING_KEPT = "the base arm keeps nothing of its cash: no effect can pay for a cost"


def break_even(effects: pd.DataFrame, *, cash: str, cost: str, commission_share: float = 0.0) -> pd.DataFrame:
    """At which effect on cash does an arm neither gain nor lose against the base arm?

    Formula: of one more unit of cash the share kept = 1 - commission_share stays; the arm must collect extra / kept more
    per case, extra being its difference in the cost of work. relative = that over the base arm's cash. The interval
    is that of the difference in the cost of work; the base arm's cash and commission are taken as they were. Below 0: the arm is cheaper and
    may collect so much less.

    Needs the table of `experiments.compare_arms` with the outcomes named by `cash` and `cost` (of work, without commission).
    `commission_share`: commission over cash in the base arm.
    Columns: arm, base_cash, kept, extra_cost, value, low, high (per case, the unit of cash), relative, relative_low, relative_high, observed
    (relative effect on cash), note. Undefined (NaN + note): the base arm's cash is not above zero, or nothing of it is kept.
    """
    rows = []
    for arm, part in effects.groupby("arm", sort=False):
        own = {str(row["outcome"]): row for row in part.to_dict("records")}
        base_cash = float(own[cash]["base_mean"])
        kept = 1 - commission_share if base_cash > 0 else np.nan
        usable = bool(kept > 0)
        extra = np.array([float(own[cost][name]) for name in ("value", "low", "high")])
        needed = extra / kept if usable else np.full(3, np.nan)
        share = needed / base_cash if usable else needed
        note = str(own[cost]["note"]) or ("" if usable else NOTHING_KEPT)
        observed = float(own[cash]["relative"])
        rows.append([arm, base_cash, kept, extra[0], *needed, *share, observed, note])
    return pd.DataFrame(rows, columns=COLUMNS)
