"""How much will batches bring in the end? Development of cumulative amounts by age, projected, with its uncertainty.

Every function reads a *triangle*: one row per batch and age with columns `origin` (batch, sortable), `age` (whole number, 1 is the first)
and `value` (cumulative amount at the end of that age). Each batch has every age up to its latest, and no cell lies in the future.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError
from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]

FEWEST_AGES = 3
TOO_YOUNG = f"fewer than {FEWEST_AGES} ages: the shape of the curve is not known"
NOTHING_YET = "nothing collected so far: a factor has nothing to multiply; use a prior"


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A triangle carried to its last age.

    `factors`: age (from), next_age, factor, sigma2 (variance parameter), standard_error (of the factor), batches (that show the step).
    `batches`: origin, age (latest), latest, share_complete (latest / ultimate), ultimate, to_come, standard_error (of to_come), low, high, note.
    `total`: to_come, standard_error, low, high over all batches (their errors move together: the factors are shared).
    """

    factors: pd.DataFrame
    batches: pd.DataFrame
    total: dict[str, float]


def chain_ladder(triangle: pd.DataFrame, *, level: float = CONFIDENCE) -> Projection:
    """What will each batch have brought at the last age that any batch has reached?

    Formula: f(k) = ΣC(i,k+1)/ΣC(i,k) over batches that show both; ultimate = latest · Π f from its age on. σ²(k) = Σ C(i,k)·(C(i,k+1)/C(i,k)
    - f(k))² / (n - 1), for the last step, seen in one batch, the smallest of σ⁴(K-2)/σ²(K-3), σ²(K-3), σ²(K-2). Error of a batch: U²·Σ
    σ²/f²·(1/C + 1/ΣC); of the total with the covariance through the shared factors. Interval: log-normal, so it never falls below 0.
    Undefined (NaN and note): a batch with nothing collected so far.
    Raises DataError: fewer than 3 ages or 2 batches, repeated, missing or negative cells, a gap between ages.
    Source: Mack, ASTIN Bulletin 23 (1993) 213; its appendix for the last variance.
    """
    cells = read_triangle(triangle)
    factors = _factors(cells)
    latest_age = (~np.isnan(cells.value)).sum(axis=1) - 1
    latest = cells.value[np.arange(len(cells.origins)), latest_age]
    f, ratio = factors["factor"].to_numpy(), factors["sigma2"].to_numpy() / factors["factor"].to_numpy() ** 2
    column_sums = np.array([np.nansum(cells.value[~np.isnan(cells.value[:, k + 1]), k]) for k in range(len(f))])
    to_last = np.append(np.cumprod(f[::-1])[::-1], 1.0)
    ultimate = latest * to_last[latest_age]
    variance = np.zeros(len(latest))
    for row, age in enumerate(latest_age):
        path = latest[row] * np.append(1.0, np.cumprod(f[age:-1])) if age < len(f) else np.zeros(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance[row] = ultimate[row] ** 2 * (ratio[age:] * (1 / path + 1 / column_sums[age:])).sum()
    total_variance = _total_variance(latest_age, ultimate, variance, ratio / column_sums)
    table = pd.DataFrame({"origin": cells.origins, "age": latest_age + 1, "latest": latest, "share_complete": 1 / to_last[latest_age]})
    known = latest > 0
    table["ultimate"] = np.where(known, ultimate, np.nan)
    table["to_come"] = table["ultimate"] - table["latest"]
    table["standard_error"] = np.where(known, np.sqrt(np.where(known, variance, 0.0)), np.nan)
    table["low"], table["high"] = _lognormal(table["to_come"].to_numpy(), table["standard_error"].to_numpy(), level)
    table["note"] = np.where(known, "", NOTHING_YET)
    to_come, error = float(np.nansum(table["to_come"])), float(np.sqrt(total_variance))
    low, high = _lognormal(np.array([to_come]), np.array([error]), level)
    total = {"to_come": to_come, "standard_error": error, "low": float(low[0]), "high": float(high[0])}
    return Projection(factors=factors, batches=table, total=total)


def bornhuetter_ferguson(triangle: pd.DataFrame, prior: pd.Series) -> pd.DataFrame:
    """What will a young batch bring, if its own few months say little and a prior says something?

    Formula: to_come = prior ultimate · (1 - share complete), share complete = 1 / Π f as in `chain_ladder`; ultimate = latest + to_come. The
    weight of the batch's own experience is the share that is complete.
    `prior`: expected ultimate amount by origin. Columns: origin, age, latest, share_complete, prior, to_come, ultimate, note.
    Undefined (NaN and note): an origin without a prior. Raises DataError as `chain_ladder`.
    Source: Bornhuetter & Ferguson, Proceedings of the Casualty Actuarial Society 59 (1972) 181.
    """
    table = chain_ladder(triangle).batches[["origin", "age", "latest", "share_complete"]].copy()
    table["prior"] = table["origin"].map(prior).astype(float)
    table["to_come"] = table["prior"] * (1 - table["share_complete"])
    table["ultimate"] = table["latest"] + table["to_come"]
    return table.assign(note=np.where(table["prior"].isna(), "no prior for this batch", ""))


@dataclass(frozen=True)
class Cells:
    """A triangle as a matrix (origins x ages), NaN where the future is."""

    origins: NDArray
    value: Floats


def read_triangle(triangle: pd.DataFrame) -> Cells:
    """The triangle as a matrix, or everything that is wrong with it. Raises DataError."""
    absent = [name for name in ("origin", "age", "value") if name not in triangle.columns]
    if absent or triangle.empty:
        wrong = f"no column {', '.join(absent)}" if absent else "no rows"
        raise DataError(f"triangle: {wrong}; one row per batch and age is needed.")
    problems = []
    repeated = triangle.duplicated(["origin", "age"])
    wrong_value = ~(triangle["value"].astype(float) >= 0)
    for bad, what, fix in (
        (repeated, "repeat a batch and age", "Keep one."),
        (wrong_value, "are missing or below 0", "A cell that is not over yet is left out; more reversals than payments are mended first."),
    ):
        if bad.any():
            first = triangle[bad.to_numpy()].iloc[0]
            problems.append(
                f"triangle: {int(bad.sum())} of {len(triangle)} rows {what} (first: {first['origin']}, age {first['age']}). {fix}"
            )
    if problems:
        raise DataError(problems)
    matrix = triangle.pivot_table(index="origin", columns="age", values="value", aggfunc="first").astype(float)
    ages = matrix.columns.to_numpy()
    value = matrix.to_numpy()
    known = ~np.isnan(value)
    gaps = (known[:, 1:] & ~known[:, :-1]).any(axis=1) | ~known[:, 0]
    if (ages != np.arange(1, len(ages) + 1)).any() or gaps.any():
        where = f" (first batch with a gap: {matrix.index[gaps][0]})" if gaps.any() else ""
        raise DataError(f"triangle: ages must run 1, 2, 3 ... without a gap in every batch{where}. Write 0 for a month without cash.")
    if len(ages) < FEWEST_AGES or len(matrix) < 2:
        raise DataError(f"triangle: {len(matrix)} batches with {len(ages)} ages; {TOO_YOUNG}. Wait for more months, or use a prior curve.")
    return Cells(matrix.index.to_numpy(), value)


def _factors(cells: Cells) -> pd.DataFrame:
    """Volume-weighted development factors and their variance parameters."""
    rows = []
    steps = cells.value.shape[1] - 1
    for k in range(steps):
        shown = ~np.isnan(cells.value[:, k + 1])
        now, later = cells.value[shown, k], cells.value[shown, k + 1]
        if now.sum() <= 0:
            raise DataError(f"triangle: no batch had collected anything by age {k + 1}; start at a later age.")
        factor = later.sum() / now.sum()
        positive = now > 0
        squares = float((now[positive] * (later[positive] / now[positive] - factor) ** 2).sum())
        rows.append((k + 1, k + 2, factor, squares / (shown.sum() - 1) if shown.sum() > 1 else np.nan, now.sum(), int(shown.sum())))
    table = pd.DataFrame(rows, columns=["age", "next_age", "factor", "sigma2", "now", "batches"])
    sigma2 = table["sigma2"].to_numpy(copy=True)
    for k in (int(place) for place in np.flatnonzero(np.isnan(sigma2))):
        before, earlier = sigma2[k - 1], sigma2[k - 2] if k > 1 else sigma2[k - 1]
        sigma2[k] = min(before**2 / earlier if earlier > 0 else 0.0, earlier, before)
    table["sigma2"] = sigma2
    table["standard_error"] = np.sqrt(table["sigma2"] / table["now"])
    return table[["age", "next_age", "factor", "sigma2", "standard_error", "batches"]]


def _total_variance(age: NDArray[np.intp], ultimate: Floats, variance: Floats, shared: Floats) -> float:
    """Variance of the sum over batches: batches that still go through the same step share the error of its factor."""
    order = np.argsort(-age, kind="stable")
    total = float(variance[order].sum()) if np.isfinite(variance).all() else float(np.nansum(np.where(ultimate > 0, variance, 0.0)))
    for place, row in enumerate(order):
        later = ultimate[order[place + 1 :]].sum()
        total += 2 * float(ultimate[row] * later * shared[age[row] :].sum())
    return total


def _lognormal(mean: Floats, error: Floats, level: float) -> tuple[Floats, Floats]:
    """Bounds of a log-normal variable with this mean and standard deviation; the point itself where nothing is to come."""
    z = stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.log1p((error / mean) ** 2))
        middle = np.log(mean) - spread**2 / 2
        low, high = np.exp(middle - z * spread), np.exp(middle + z * spread)
    exact = mean == 0
    return np.where(exact, 0.0, low), np.where(exact, 0.0, high)
