"""Whether accounts move as a first-order chain with the same chances every month: the tests, and how much it matters."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import DEPARTURE as SMALL

Floats = NDArray[np.float64]
# Columns whose expected count in the smallest row is below this, and rows with fewer accounts than FEWEST, are taken together.
LEAST_EXPECTED, FEWEST = 1.0, 30
# Cohen (1988) 7.2: w = 0.1 is a small difference. With a million accounts any difference is beyond chance; below this it hardly matters.
LEVEL = 0.01
ONE_KIND = "fewer than two groups of accounts to compare"
TEST_COLUMNS = ["from", "cases", "statistic", "df", "p_value", "effect", "note"]
ALL = "all"


def order_test(moves: pd.DataFrame) -> pd.DataFrame:
    """Does it matter for the next bucket where an account stood a month before this one?

    `moves` has the columns previous, from, to, count. First order says no: given `from`, `to` does not depend on `previous`. Formula: per
    state the chi-square of the table previous by to, df = (rows - 1)(columns - 1); over all states both are added. Columns: from (a state,
    or `all`), cases, statistic, df, p_value, effect, note. effect is w = sqrt(max(0, statistic - df)/cases): how far the next bucket departs
    from what first order says, without what chance adds; from 0.1 on it matters. Small rows and columns are taken together.
    Undefined (NaN + note): fewer than two kinds of `previous`. Source: Anderson & Goodman, Annals of Mathematical Statistics 28 (1957) 89;
    Cohen, Statistical Power Analysis (1988) 7.2.
    """
    return _tested(moves, "previous")


def stationarity_test(moves: pd.DataFrame) -> pd.DataFrame:
    """Are the chances the same in every month?

    `moves` has the columns month, from, to, count. Formula, columns, undefined and source: as `order_test`, with months for `previous`.
    """
    return _tested(moves, "month")


def departures(moves: pd.DataFrame) -> pd.DataFrame:
    """Which months moved unlike the others? Columns: month, cases, effect (w of the month against all months together), by month.

    `moves` as for `stationarity_test`. effect = sqrt(max(0, Σ(O - E)²/E - cells + rows)/cases) over the month's cells.
    """
    rows = []
    pooled = moves.groupby(["from", "to"])["count"].sum()
    chance = pooled / pooled.groupby("from").transform("sum")
    for month, part in moves.groupby("month"):
        cells = part.groupby(["from", "to"])["count"].sum().reindex(pooled.index, fill_value=0)
        totals = cells.groupby("from").transform("sum")
        expected = totals * chance
        held = expected >= LEAST_EXPECTED
        excess = ((cells - expected)[held] ** 2 / expected[held]).sum() - (int(held.sum()) - expected[held].groupby("from").ngroups)
        cases = float(cells.sum())
        rows.append({"month": month, "cases": int(cases), "effect": float(np.sqrt(max(0.0, excess) / cases)) if cases else np.nan})
    return pd.DataFrame(rows, columns=["month", "cases", "effect"])


def matters(row: pd.Series) -> bool:
    """Whether a row of a test is both beyond chance and large enough to matter."""
    return bool(row["p_value"] < LEVEL and row["effect"] >= SMALL)


def _tested(moves: pd.DataFrame, group: str) -> pd.DataFrame:
    rows = []
    for state, part in moves.groupby("from"):
        table = part.pivot_table(index=group, columns="to", values="count", aggfunc="sum", fill_value=0).to_numpy(float)
        rows.append({"from": str(state), **_homogeneity(table)})
    if not rows:
        return pd.DataFrame(columns=TEST_COLUMNS)
    found = pd.DataFrame(rows)
    told = found[found["note"] == ""]
    total = _judged(statistic=float(told["statistic"].sum()), df=int(told["df"].sum()), cases=int(told["cases"].sum())) if len(told) else {}
    whole = {"from": ALL, **total} if total else {"from": ALL, **_nothing(int(found["cases"].sum()))}
    return pd.concat([found, pd.DataFrame([whole])], ignore_index=True)[TEST_COLUMNS]


def _homogeneity(table: Floats) -> dict[str, object]:
    cases = int(table.sum())
    large = table.sum(axis=1) >= FEWEST
    rest = table[~large].sum(axis=0)
    table = np.vstack([table[large], rest]) if rest.sum() >= FEWEST else table[large]
    if len(table) < 2:
        return _nothing(cases)
    thin = table.sum(axis=0) * table.sum(axis=1).min() / table.sum() < LEAST_EXPECTED
    table = _joined(table, thin)
    table = table[:, table.sum(axis=0) > 0]
    found = stats.chi2_contingency(table, correction=False)
    return _judged(statistic=float(found.statistic), df=int(found.dof), cases=int(table.sum()))


def _joined(table: Floats, thin: NDArray[np.bool_]) -> Floats:
    return np.column_stack([table[:, ~thin], table[:, thin].sum(axis=1)]) if thin.any() else table


def _judged(*, statistic: float, df: int, cases: int) -> dict[str, object]:
    p_value = float(stats.chi2.sf(statistic, df)) if df else 1.0
    effect = float(np.sqrt(max(0.0, statistic - df) / cases))
    return {"cases": int(cases), "statistic": float(statistic), "df": int(df), "p_value": p_value, "effect": effect, "note": ""}


def _nothing(cases: int) -> dict[str, object]:
    return {"cases": cases, "statistic": np.nan, "df": 0, "p_value": np.nan, "effect": np.nan, "note": ONE_KIND}
