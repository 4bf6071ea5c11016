"""What a KPI is worth as a judge of people: reliable, in their hands, followed by cash, hard to move without cash, and not said already."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.methods.profiling.components import variance_table
from collect_analysis.methods.profiling.record_tests import rank_correlation
from collect_analysis.methods.profiling.reliability import intraclass, parts_for, spearman_brown, split_half
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.officers.kpi_validation.measures import changes

# What an officer's accounts were worth before anybody worked on them.
MIX = ("mix_payers", "mix_cash", "mix_balance")
INDEX = "R5"
CELL = ["unit_key", "month"]
RELIABILITY_COLUMNS = (
    "kpi", "officers", "months", "cases", "split_half", "split_low", "split_high", "value", "low", "high", "pooled", "months_half",
    "months_good", "note",
)  # fmt: skip


def outcomes(expected: pd.DataFrame) -> pd.DataFrame:
    """Capped cash over expected of every officer and month, and what the accounts held were worth.

    `expected` is the table of `expected.observed_expected`. Columns: month, officer_key, index (O/E), accounts, mix_payers (expected payers per
    account), mix_cash (expected capped cash per balance), mix_balance (log of balance per account). Undefined (NaN): nothing expected, nothing owed.
    """
    names = ["accounts", "opening_minor", "expected_payers", "capped_minor", "expected_minor"]
    held = expected[expected["officer_key"] != UNASSIGNED]
    sums = held.groupby(["month", "officer_key"], as_index=False)[names].sum()
    # The last bits of a parallel sum depend on how the work was split; shares of variance are small differences of large numbers and show them.
    sums = sums.round({"expected_minor": 3, "expected_payers": 9})
    owed, count = sums["opening_minor"].astype(float), sums["accounts"].astype(float)
    owed = owed.where(owed > 0)
    return sums[["month", "officer_key", "accounts"]].assign(
        index=sums["capped_minor"] / sums["expected_minor"].where(sums["expected_minor"] > 0),
        mix_payers=sums["expected_payers"] / count.where(count > 0),
        mix_cash=sums["expected_minor"] / owed,
        mix_balance=np.log(owed / count),
    )


def with_index(table: pd.DataFrame, outcome: pd.DataFrame, teams: pd.DataFrame, *, least_cases: int) -> pd.DataFrame:
    """The panel of `officer_months.panel` with the index of collected over expected (R5) as one more KPI; it has no halves."""
    rows = outcome[outcome["accounts"] >= least_cases].merge(teams, on=["month", "officer_key"], how="inner")
    index = rows.assign(kpi=INDEX, value=rows["index"], cases=rows["accounts"], first=np.nan, second=np.nan).dropna(subset=["value"])
    return pd.concat([table, index[table.columns]], ignore_index=True)


def reliability_table(
    table: pd.DataFrame, *, pool_months: int, half: float = 0.5, good: float = 0.7, level: float = CONFIDENCE
) -> pd.DataFrame:
    """How much of a difference between officers of one unit in one month would be there again?

    Values are taken less the mean of their unit and month. split_half: two halves of the same month's cases, stepped up (Spearman-Brown): what
    is not chance of who was called. value (with low, high): months of the same officer (intraclass correlation): what lasts. pooled: of
    `pool_months` months together. months_half, months_good: months to pool for a reliability of `half` and `good`. Columns:
    RELIABILITY_COLUMNS (officers, months: with two months and more; cases: mean per officer and month). Sorted as the panel.
    Undefined (NaN and a note): see `methods.reliability`.
    """
    rows = []
    for kpi, part in table.groupby("kpi", sort=False):
        centred = part.assign(**{name: part[name] - part.groupby(CELL)[name].transform("mean") for name in ("value", "first", "second")})
        wide = centred.pivot_table(index="officer_key", columns="month", values="value")
        months, halves = intraclass(wide, level=level, consistency=False), split_half(centred["first"], centred["second"], level=level)
        rows.append(
            {
                "kpi": kpi, "officers": months.subjects, "months": months.occasions, "cases": float(part["cases"].mean()),
                "split_half": halves.value, "split_low": halves.low, "split_high": halves.high,
                "value": months.value, "low": months.low, "high": months.high,
                "pooled": float(spearman_brown(months.value, pool_months)),
                "months_half": float(parts_for(months.value, wanted=half)),
                "months_good": float(parts_for(months.value, wanted=good)),
                "note": months.note,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))


def control_table(table: pd.DataFrame, outcome: pd.DataFrame, *, draws: int, seed: int) -> pd.DataFrame:
    """Whose doing is each KPI: the officer's, the portfolio's, the unit's, the month's, or nobody's?

    Columns: kpi, officers and those of `components.variance_table`. Officers without a known portfolio in a month are left out of that month; a KPI for
    which nobody's is known is split without the source `portfolio`.
    """
    parts = []
    for kpi, part in table.groupby("kpi", sort=False):
        joined = part.merge(outcome[["month", "officer_key", *MIX]], on=["month", "officer_key"], how="left")
        known = joined[list(MIX)].notna().all(axis=1)
        enough = known.mean() >= 0.5
        rows = joined[known] if enough else joined.drop(columns=list(MIX))
        split = variance_table(rows, mix=MIX if enough else (), draws=draws, seed=seed)
        parts.append(split.assign(kpi=kpi, officers=rows["officer_key"].nunique()))
    return pd.concat(parts, ignore_index=True)[["kpi", "source", "variance", "share", "inside", "low", "high", "officers", "note"]]


def prediction_table(table: pd.DataFrame, outcome: pd.DataFrame, better: Mapping[str, str], *, draws: int, seed: int) -> pd.DataFrame:
    """Does who is good on a KPI this month collect more next month than was to be expected, and does the KPI move with cash?

    Columns: kpi, value, low, high: rank correlation of the KPI with capped cash over expected of the next month, among officers of one unit in
    one month, signed so that above 0 is good (as found where neither direction is); pairs, officers; moves, moves_low, moves_high: rank
    correlation of the change of the KPI with the change of the index from one month to the next. The next month is not in the KPI.
    """
    ahead = outcome[["month", "officer_key", "index"]].copy()
    order = {month: place for place, month in enumerate(sorted(set(table["month"]) | set(outcome["month"])))}
    now = changes(table).assign(place=lambda rows: rows["month"].map(order))
    ahead["place"] = ahead["month"].map(order) - 1
    index = outcome[["month", "officer_key", "index"]].assign(place=outcome["month"].map(order))
    before = index[["officer_key", "place", "index"]].rename(columns={"index": "before"}).assign(place=index["place"] + 1)
    same = index.merge(before, on=["officer_key", "place"])
    same["moved"] = same["index"] - same["before"]
    rows = []
    for kpi, part in now.groupby("kpi", sort=False):
        sign = -1.0 if better[str(kpi)] == "lower" else 1.0
        signed = part.assign(value=sign * part["value"], change=sign * part["change"])
        next_month = signed.merge(ahead[["officer_key", "place", "index"]], on=["officer_key", "place"])
        follows = rank_correlation(next_month, x="value", y="index", within=CELL, person="officer_key", draws=draws, seed=seed)
        together = signed.merge(same[["officer_key", "month", "moved"]], on=["officer_key", "month"])
        moves = rank_correlation(together, x="change", y="moved", within=CELL, person="officer_key", draws=draws, seed=seed)
        rows.append(
            {
                "kpi": kpi, "value": follows["value"], "low": follows["low"], "high": follows["high"], "pairs": int(follows["pairs"]),
                "officers": int(follows["persons"]), "moves": moves["value"], "moves_low": moves["low"], "moves_high": moves["high"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def overlap_table(table: pd.DataFrame, *, least: float) -> pd.DataFrame:
    """Which KPIs say the same of officers? Rank correlations of officers' means (less unit and month) of at least `least`, either sign.

    Columns: kpi, other, value, officers. Each pair once, strongest first.
    """
    centred = table.assign(value=table["value"] - table.groupby(["kpi", *CELL])["value"].transform("mean"))
    means = centred.pivot_table(index="officer_key", columns="kpi", values="value", aggfunc="mean", sort=False)
    matrix, names = means.corr(method="spearman", min_periods=10), list(means.columns)
    strength = np.abs(matrix.to_numpy(float))
    rows = [
        {"kpi": one, "other": other, "value": matrix.loc[one, other], "officers": int((means[one].notna() & means[other].notna()).sum())}
        for place, one in enumerate(names)
        for other in names[place + 1 :]
        if strength[names.index(one), names.index(other)] >= least
    ]
    found = pd.DataFrame(rows, columns=["kpi", "other", "value", "officers"])
    return found.sort_values("value", key=lambda column: -column.abs(), kind="stable", ignore_index=True)


def stuffing_table(months: pd.DataFrame, *, promises: str = "C7", kept: str = "C8", level: float = CONFIDENCE) -> pd.DataFrame:
    """Whose promises grew while fewer of them were kept?

    The second half of the months against the first (a middle month of an odd number belongs to neither): promises per account reached up and
    share kept down, each by a one-sided test of two shares; both must hold, so p is the larger of the two (intersection-union), adjusted by Holm
    over officers. Columns: officer_key, unit_key, promised_before, promised_after, kept_before, kept_after, cases (promises that fell due
    after), p_adjusted, beyond. Sorted by p. Officers without a case in one of the four are left out.
    Source: Berger, Technometrics 24 (1982) 295 (intersection-union tests).
    """
    columns = ["officer_key", "unit_key", "promised_before", "promised_after", "kept_before", "kept_after", "cases", "p_adjusted", "beyond"]
    order = sorted(months["month"].unique())
    half = len(order) // 2
    if half == 0 or not {promises, kept} <= set(months["kpi"]):
        return pd.DataFrame(columns=columns)
    sums = []
    for when, inside in (("before", order[:half]), ("after", order[-half:])):
        for kpi, name in ((promises, "promised"), (kept, "kept")):
            part = months[(months["kpi"] == kpi) & months["month"].isin(inside)]
            own = part.groupby(["officer_key", "unit_key"])[["numerator", "denominator"]].sum()
            sums.append(own.rename(columns={"numerator": f"{name}_{when}_x", "denominator": f"{name}_{when}_n"}))
    wide = pd.concat(sums, axis=1).dropna()
    wide = wide[(wide[[name for name in wide.columns if name.endswith("_n")]] > 0).all(axis=1)].astype(float)
    up = _one_sided(wide, "promised", 1.0)
    down = _one_sided(wide, "kept", -1.0)
    table = wide.reset_index().assign(
        cases=wide["kept_after_n"].to_numpy().astype("int64"),
        p_adjusted=holm(np.maximum(up, down)),
        **{
            f"{name}_{when}": (wide[f"{name}_{when}_x"] / wide[f"{name}_{when}_n"]).to_numpy()
            for name in ("promised", "kept")
            for when in ("before", "after")
        },
    )
    table["beyond"] = table["p_adjusted"] <= 1 - level
    return table.sort_values(["p_adjusted", "officer_key"], ignore_index=True)[columns]


def _one_sided(wide: pd.DataFrame, name: str, sign: float) -> np.ndarray:
    x0, n0, x1, n1 = (wide[f"{name}_{when}_{part}"].to_numpy() for when in ("before", "after") for part in ("x", "n"))
    pooled = (x0 + x1) / (n0 + n1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    gap = sign * (x1 / n1 - x0 / n0)
    return np.where(spread > 0, stats.norm.sf(gap / np.where(spread > 0, spread, 1.0)), 1.0)


def kept_apart(found: pd.DataFrame, order: Sequence[str]) -> dict[str, str]:
    """Which KPI is said already by a better one? `order`: KPIs, best first. Returns KPI -> the better one it overlaps with."""
    place = {kpi: rank for rank, kpi in enumerate(order)}
    out: dict[str, str] = {}
    for one, other in sorted(
        zip(found["kpi"], found["other"], strict=True), key=lambda pair: tuple(place.get(kpi, len(place)) for kpi in pair)
    ):
        better, worse = sorted((one, other), key=lambda kpi: place.get(kpi, len(place)))
        if better not in out:
            out.setdefault(worse, better)
    return out
