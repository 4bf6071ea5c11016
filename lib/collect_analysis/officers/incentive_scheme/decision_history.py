"""The history of officers as a scheme counts it: which money, against what, with which gates; as arrays of officers by months."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.measures.gate_names import BREACHES, KEPT, QUALITY
from collect_analysis.officers.incentive_scheme.schemes import Floats, Scheme, Work
from collect_analysis.officers.incentive_scheme.terms import ATTAINMENT


@dataclass(frozen=True, kw_only=True)
class History:
    """Tables of `measures.scheme_inputs`: officer_months, taken_back, and lasting_cures by the months a cure must last."""

    panel: pd.DataFrame
    taken_back: pd.DataFrame
    lasting: Mapping[int, pd.DataFrame]

    @property
    def officers(self) -> int:
        """How many officers there are."""
        return int(self.panel["officer_key"].nunique())

    @property
    def months(self) -> int:
        """How many months there are."""
        return int(self.panel["month"].nunique())


def work_of(history: History, scheme: Scheme) -> Work:
    """What officers did as `scheme` counts it.

    Collected: capped or uncapped cash, with money taken back after its month unless within the days of the clawback. Base: what was expected of
    the same accounts (expected money scaled so that all officers of a sub-function together are at 1), or the approved target. Noise: expected²
    / variance. Cures too young to be followed count as the mean of those that are not.
    """
    panel = history.panel
    got, expected, variance = (
        ("capped_minor", "expected_minor", "variance_minor")
        if scheme.account_cap
        else ("cash_minor", "expected_cash_minor", "variance_cash_minor")
    )
    officers, months = sorted(panel["officer_key"].unique()), sorted(panel["month"].unique())
    rows = np.searchsorted(np.array(officers, dtype=str), panel["officer_key"].to_numpy(dtype=str))
    columns = panel["month"].map({month: place for place, month in enumerate(months)}).to_numpy(dtype=int)
    shape = (len(officers), len(months))

    def placed(values: pd.Series) -> Floats:
        out = np.full(shape, np.nan)
        out[rows, columns] = values.to_numpy(dtype=float)
        return out

    units, unit_codes = np.unique(panel["unit_key"].to_numpy(dtype=str), return_inverse=True)
    groups, group_codes = np.unique(panel["sub_function"].to_numpy(dtype=str), return_inverse=True)
    collected = placed(panel[got]) + _returned(history.taken_back, officers, months, after=scheme.clawback_days)
    counts = {
        QUALITY: (placed(panel["critical_n"]), placed(panel["critical_d"])),
        BREACHES: (placed(panel["breaches"]), np.ones(shape)),
        KEPT: (placed(panel["kept_n"]), placed(panel["kept_d"])),
    }
    return Work(
        officers=tuple(officers),
        months=tuple(months),
        units=tuple(str(name) for name in units),
        sub_functions=tuple(str(name) for name in groups),
        team=np.nan_to_num(placed(pd.Series(unit_codes))).astype("int64"),
        group=np.nan_to_num(placed(pd.Series(group_codes))).astype("int64"),
        collected=collected,
        base=placed(panel["target_minor"] if scheme.basis == ATTAINMENT else panel[expected]),
        noise=placed(panel[expected] ** 2 / panel[variance].where(panel[variance] > 0)),
        payers=placed(panel["payers"]),
        counts=counts,
        lasting=_lasting(history.lasting.get(scheme.holdback_months), officers, months),
    )


def _returned(table: pd.DataFrame, officers: list[str], months: list[object], *, after: int) -> Floats:
    """Money that the clawback lets pass: taken back later than `after` days."""
    kept = table[table["days"] > after] if len(table) else table
    wide = np.zeros((len(officers), len(months)))
    for row in kept.itertuples():
        if row.officer_key in officers and row.month in months:
            wide[officers.index(str(row.officer_key)), months.index(row.month)] += float(str(row.amount_minor))
    return wide


def _lasting(table: pd.DataFrame | None, officers: list[str], months: list[object]) -> Floats | None:
    if table is None or table.empty:
        return None
    mean = float(table["lasting_n"].sum() / table["lasting_d"].sum())
    share = (table["lasting_n"] / table["lasting_d"]).to_numpy()
    wide = np.full((len(officers), len(months)), mean)
    place = {key: row for row, key in enumerate(officers)}
    column = {month: number for number, month in enumerate(months)}
    for key, month, value in zip(table["officer_key"], table["month"], share, strict=True):
        if key in place and month in column:
            wide[place[key], column[month]] = value
    return wide
