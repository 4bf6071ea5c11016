"""Which index of an agency is believed, and why: the one by lot, else the one within strata; what the modelled one may add to it."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.measures.placements import RANDOM
from collect_analysis.methods.rates.multiplicity import holm

Believed = Literal["lot", "strata", "none"]
Standing = Literal["supports", "misfit", "untested", "contradicts", "absent"]
# A misfit or a contradiction must be this surprising, counted over all agencies; a smaller misfit than SMALL moves no decision.
RARE, SMALL = 0.01, 0.05
# Where the fit may as well lie outside this range, the other agencies hold too few such accounts to tell whether the expectation fits.
SURE_ENOUGH = (0.8, 1.25)
LEAST_TESTED = 0.8
COLUMNS = (
    "unit_key", "believed", "value", "low", "high", "modelled", "modelled_low", "modelled_high", "fit", "fit_low", "fit_high", "ratio",
    "p_adjusted", "standing", "note",
)  # fmt: skip


def believed_index(found: pd.DataFrame, modelled: pd.DataFrame, *, allocation: str) -> pd.DataFrame:
    """Which index of each agency is believed, and does the modelled one support it?

    `found`: of `comparison.index` for the `allocation` the comparison rests on; `modelled`: units of `placement_index.expected_recovery`.
    Believed is the index on placements drawn by lot (`lot`), else the one within strata of chosen ones (`strata`), else none. The modelled
    index reads all placements and is never believed instead; its standing, the first that applies: absent (no expectation), misfit (what its
    model expects of the other agencies in this agency's strata is off by `SMALL` or more, p under `RARE`), untested (the fit may as well lie
    outside `SURE_ENOUGH`, or less than `LEAST_TESTED` of what is expected lies in strata that others hold), contradicts (it fits, and its
    ratio to the believed one is not 1, p under `RARE` with the two taken as independent, which errs towards saying nothing), supports.

    Columns: COLUMNS; ratio = modelled / believed; p_adjusted: Holm over agencies, of ratio 1. Sorted by unit.
    """
    names = {"value": "modelled", "low": "modelled_low", "high": "modelled_high", "se_log": "modelled_se"}
    fit = ["fit", "fit_low", "fit_high", "fit_share", "fit_p_adjusted"]
    other = modelled[["unit_key", *names, *fit]].rename(columns=names)
    table = found[["unit_key", "value", "low", "high", "se_log", "note"]].merge(other, on="unit_key", how="outer", validate="one_to_one")
    table["note"] = table["note"].fillna("")
    numbers = [name for name in table.columns if name not in ("unit_key", "note")]
    table[numbers] = table[numbers].astype(float)
    known = table["se_log"] > 0
    table["believed"] = np.where(known, "lot" if allocation == RANDOM else "strata", "none")
    table["ratio"] = (table["modelled"] / table["value"]).where(known & (table["modelled_se"] > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.log(table["ratio"]) / np.hypot(table["se_log"], table["modelled_se"])
    table["p_adjusted"] = holm(pd.Series(2 * stats.norm.sf(np.abs(z)), index=table.index))
    off = (table["fit"] - 1).abs()
    table["standing"] = np.select(
        [
            table["modelled"].isna() | table["fit"].isna(),
            (table["fit_p_adjusted"] < RARE) & (off >= SMALL),
            (table["fit_low"] < SURE_ENOUGH[0]) | (table["fit_high"] > SURE_ENOUGH[1]) | (table["fit_share"] < LEAST_TESTED),
            table["p_adjusted"] < RARE,
        ],
        ["absent", "misfit", "untested", "contradicts"],
        default="supports",
    )
    return table[list(COLUMNS)].sort_values("unit_key", ignore_index=True)
