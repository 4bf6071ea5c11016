"""What was known of the subjects before they were assigned, arm by arm: means, distributions, and one joint test of them all.

Computed where the subjects live; nothing per subject leaves.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import subjects_of, weighted
from collect_analysis.measures.cohort import Cohort
from collect_analysis.measures.segments import ACCOUNT_SEGMENTS
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.trials.assignment import standardised_differences
from collect_analysis.methods.trials.balance import JointBalance, Moments, distance_p_value, joint_balance

Kind = Literal["number", "day", "code", "rank"]
Weights = Mapping[tuple[str, str], float]
RUNNING, DAY, STRATUM = "running_value", "assigned_on", "stratum"
COLUMNS = [
    "variable", "kind", "level", "arm", "base", "cases", "base_cases", "mean", "base_mean", "standardised", "distance", "p_distance",
    "cut", "lower",
]  # fmt: skip
# Of a code with more levels (an officer, a branch) those with most subjects are told apart, the others count as one.
MOST_LEVELS = 12
OTHER, UNKNOWN, RANK = "other", "unknown", "rank"
DAY_ZERO = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How alike the arms were before anything was done.

    `table` has COLUMNS, a row per variable (code: per level) and arm other than the base: means (code: shares of the arm) and their
    standardised difference; for numbers and days `distance`, the largest difference between the two distribution functions (0: alike, 1:
    one cut point tells the arms apart wholly), attained at `cut` (values up to it), `lower` whether the arm has more of the lower values,
    `p_distance` its p-value by Holm over the table; for a code `distance` is half the sum of the differences of its shares. Level `unknown`:
    of whom the variable is not known. Days count from DAY_ZERO. `joint`: the test over all of it, each number also by its rank, since the mean
    of lopsided amounts hardly tells where most of them lie.
    """

    table: pd.DataFrame
    joint: JointBalance

    @property
    def variables(self) -> list[str]:
        """What was compared."""
        return list(dict.fromkeys(self.table["variable"].astype(str)))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One column of the comparison: a number or a day, its rank, a level of a code, or whether something is unknown."""

    variable: str
    kind: Kind
    level: str
    column: str


def balance(
    book: Book,
    cohort: Cohort,
    arms: Sequence[str],
    *,
    min_cell: int = 1,
    strata: Sequence[str] = (),
    weights: Weights | None = None,
    leave_out: Collection[str] = (),
) -> Balance:
    """Were the arms alike in what was known before assignment? The first of `arms` is the base.

    Compared: every covariate declared as measured before, the running variable, the day of assignment, and what the debt is (product,
    portfolio, region; from the book). Whom a variable is not known of counts as its mean, and once more as unknown. What is the same for
    everybody is left out. Levels of a code with fewer than `min_cell` subjects in an arm count as one.

    Parameters
    ----------
    strata, weights
        Where the assignment was stratified: the strata, within which the joint test compares, and `strata.stratum_weights`, with which
        means and distributions are weighted. Else the stratum is compared like any other code. Strata without weights (not every arm is in
        every stratum): the joint test alone, no means and no distances.
    leave_out
        Variables that are not compared.
    """
    without = {*leave_out, *((STRATUM,) if strata else ())}
    table, parts = _parts(book, _described(book, cohort, arms), cohort, without=without, min_cell=min_cell)
    table = table.mutate(w=weighted(table, weights) if weights else ibis.literal(1.0)).cache()
    sums = _first_sums(book, table, parts)
    varying = [part for part in parts if sums.loc[sums["column"] == part.column, "varies"].any()]
    rows = _mean_rows(sums, [part for part in varying if part.kind != "rank"], base=arms[0])
    plain = not strata or weights is not None
    apart = [
        row
        for part in varying
        if plain and part.kind in ("number", "day") and part.level == ""
        for row in _distances(book, table, part, arms)
    ]
    rows = _with_distances(rows, apart)
    if not plain:
        rows[["mean", "base_mean", "standardised", "distance", "p_distance"]] = np.nan
    joint = joint_balance(_moments(book, table, varying, sums, arms=arms, strata=strata).values())
    return Balance(table=rows.assign(base=arms[0])[COLUMNS], joint=joint)


def _described(book: Book, cohort: Cohort, arms: Sequence[str]) -> ir.Table:
    """The subjects of the arms, with what their debt is where the book tells."""
    table = subjects_of(cohort, arms)
    wanted = [name for name in ACCOUNT_SEGMENTS if name not in table.columns]
    if cohort.supplied or not wanted or not book.has("account"):
        return table
    account = book.table("account").select("account_key", *wanted)
    joined = table.left_join(account, table["subject_key"] == account["account_key"])
    return joined.select(*(table[name] for name in table.columns), *(account[name] for name in wanted))


def _parts(book: Book, table: ir.Table, cohort: Cohort, *, without: Collection[str], min_cell: int) -> tuple[ir.Table, list[_Part]]:
    """The subjects with arm, cluster_key, stratum and a column per part, all numbers, and what each column is."""
    named = {item.name: item.column for item in cohort.covariates if item.measured == "before"}
    named |= {name: name for name in (RUNNING, DAY, *ACCOUNT_SEGMENTS) if name in table.columns}
    named = {name: column for name, column in {**named, STRATUM: STRATUM}.items() if name not in without}
    columns: dict[str, ir.Value] = {}
    parts: list[_Part] = []
    for name, column in named.items():
        own = _of_code(book, table, column, min_cell) if table[column].type().is_string() else _of_number(book, table, column)
        for level, value in own.items():
            text, day = table[column].type().is_string(), table[column].type().is_temporal()
            kind: Kind = "rank" if level == RANK else "code" if text else "day" if day else "number"
            parts.append(_Part(variable=name, kind=kind, level=level, column=f"x{len(parts)}"))
            columns[parts[-1].column] = value
    return table.select("arm", "cluster_key", "stratum", **columns), parts


def _of_number(book: Book, table: ir.Table, column: str) -> dict[str, ir.Value]:
    """A number or a day as a number, its rank, and whether it is unknown where it is unknown of some."""
    found = book.frame(table.aggregate(known=table[column].count(), cases=table.count())).iloc[0]
    if not found["known"]:
        return {}
    kind = table[column].type()
    day = table[column].cast("date").delta(ibis.literal(DAY_ZERO), unit="day") if kind.is_temporal() else table[column]
    number = day.cast("int64").cast("float64") if kind.is_boolean() else day.cast("float64")
    unknown = {} if found["known"] == found["cases"] else {UNKNOWN: table[column].isnull().cast("float64")}
    rank = (
        table[column]
        .notnull()
        .ifelse(ibis.percent_rank().over(ibis.window(order_by=[table[column].isnull(), number])), ibis.null("float64"))
    )
    return {"": number, RANK: rank, **unknown}


def _of_code(book: Book, table: ir.Table, column: str, min_cell: int) -> dict[str, ir.Value]:
    """Whether a subject has each of the levels of a code; none where everybody has the same."""
    code = table[column].fill_null(UNKNOWN)
    counts = book.frame(table.group_by(code=code, arm=table["arm"]).aggregate(n=table.count()))
    wide = counts.pivot_table(index="code", columns="arm", values="n", fill_value=0)
    wide = wide.loc[sorted(wide.index, key=lambda item: (-wide.loc[item].sum(), item))]
    told = [str(name) for name in wide.index[wide.max(axis=1) >= min_cell]][:MOST_LEVELS]
    others = [str(name) for name in wide.index if name not in told]
    levels = {name: (code == name).cast("float64") for name in told}
    return levels | ({OTHER: code.isin(others).cast("float64")} if others else {})


def _first_sums(book: Book, table: ir.Table, parts: Sequence[_Part]) -> pd.DataFrame:
    """Per column and arm: cases, sum_w, sum_x, sum_xx (weighted); per column centre, scale and whether it varies."""
    sums: dict[str, ir.Value] = {"all_cases": table.count()}
    for part in parts:
        x, w = table[part.column], table["w"]
        sums |= {f"n_{part.column}": x.count(), f"w_{part.column}": compensated_sum(x.notnull().ifelse(w, 0.0))}
        sums |= {
            f"s_{part.column}": compensated_sum((x * w).fill_null(0.0)),
            f"q_{part.column}": compensated_sum((x * x * w).fill_null(0.0)),
        }
        sums |= {f"a_{part.column}": x.min(), f"z_{part.column}": x.max()}
    found = book.frame(table.group_by("arm").aggregate(**sums)).sort_values("arm")
    names = {"cases": "n", "sum_w": "w", "sum_x": "s", "sum_xx": "q", "low": "a", "high": "z"}
    rows = [
        {"column": part.column, "arm": str(row["arm"]), **{name: float(row[f"{letter}_{part.column}"]) for name, letter in names.items()}}
        for part in parts
        for row in found.to_dict("records")
    ]
    frame = pd.DataFrame(rows, columns=["column", "arm", *names])
    whole = frame.groupby("column")[["sum_w", "sum_x", "sum_xx"]].sum()
    ends = frame.groupby("column").agg(low=("low", "min"), high=("high", "max"))
    centre = whole["sum_x"] / whole["sum_w"]
    scale = np.sqrt((whole["sum_xx"] / whole["sum_w"] - centre**2).clip(lower=0))
    frame["centre"], frame["scale"] = frame["column"].map(centre), frame["column"].map(scale)
    frame["varies"] = frame["column"].map((ends["high"] > ends["low"]) & (scale > 0))
    return frame


def _mean_rows(sums: pd.DataFrame, parts: Sequence[_Part], *, base: str) -> pd.DataFrame:
    told = pd.DataFrame([{"column": part.column, "variable": part.variable, "kind": part.kind, "level": part.level} for part in parts])
    if told.empty:
        return pd.DataFrame(columns=["variable", "kind", "level", "arm", "cases", "base_cases", "mean", "base_mean", "standardised"])
    asked = sums[sums["column"].isin(told["column"])].rename(columns={"column": "variable"})
    found = standardised_differences(asked.assign(counted=asked["cases"], cases=asked["sum_w"]), base=base)
    counts = asked.set_index(["variable", "arm"])["cases"]
    found["cases"] = [int(counts[variable, arm]) for variable, arm in zip(found["variable"], found["arm"], strict=True)]
    found["base_cases"] = [int(counts[variable, base]) for variable in found["variable"]]
    rows = found.rename(columns={"variable": "column"}).merge(told, on="column")
    place = {part.column: number for number, part in enumerate(parts)}
    return rows.sort_values(["column", "arm"], key=lambda item: item.map(place) if item.name == "column" else item, ignore_index=True)


def _distances(book: Book, table: ir.Table, part: _Part, arms: Sequence[str]) -> list[dict[str, object]]:
    """The largest distance between the distribution functions of each arm and the base, and where it is."""
    known = table.filter(table[part.column].notnull())
    gaps = _gaps(known, part.column, arms)
    asked: dict[str, ir.Value] = {}
    for place in range(1, len(arms)):
        gap = gaps[f"d{place}"]
        asked |= {f"above{place}": gap.max(), f"at_above{place}": gaps["x"].min(where=gap >= gaps[f"top{place}"])}
        asked |= {f"below{place}": gap.min(), f"at_below{place}": gaps["x"].min(where=gap <= gaps[f"bottom{place}"])}
    found = book.frame(gaps.aggregate(**asked)).iloc[0]
    effective = _effective(book, known)
    rows: list[dict[str, object]] = []
    for place, arm in enumerate(arms[1:], 1):
        above, below = float(found[f"above{place}"]), float(found[f"below{place}"])
        lower = above >= -below
        p_value = distance_p_value(max(above, -below), effective.get(arm, 0.0), effective.get(arms[0], 0.0))
        at = float(found[f"at_{'above' if lower else 'below'}{place}"])
        rows.append(
            {"variable": part.variable, "arm": arm, "distance": max(above, -below), "p_distance": p_value, "cut": at, "lower": lower}
        )
    return rows


def _gaps(known: ir.Table, column: str, arms: Sequence[str]) -> ir.Table:
    """A row per value x: d<k>, by how much more of arm k than of the base lies at or under it, and the largest and smallest of them."""
    weights = {f"w{place}": known["w"].sum(where=known["arm"] == arm).fill_null(0.0) for place, arm in enumerate(arms)}
    values = known.group_by(x=known[column]).aggregate(**weights)
    everything = {f"t{place}": values[f"w{place}"].sum().over() for place in range(len(arms))}
    upto = {f"c{place}": values[f"w{place}"].sum().over(ibis.cumulative_window(order_by="x")) for place in range(len(arms))}
    shares = values.mutate(**everything, **upto)
    below = [shares[f"c{place}"] / shares[f"t{place}"].nullif(0.0) for place in range(len(arms))]
    gaps = shares.mutate(**{f"d{place}": below[place] - below[0] for place in range(1, len(arms))})
    ends = {f"top{place}": gaps[f"d{place}"].max().over() for place in range(1, len(arms))}
    return gaps.mutate(**ends, **{f"bottom{place}": gaps[f"d{place}"].min().over() for place in range(1, len(arms))})


def _effective(book: Book, known: ir.Table) -> dict[str, float]:
    """Independent cases per arm: its clusters, less what unequal weights cost (Kish)."""
    w = known["w"]
    sizes = known.group_by("arm").aggregate(
        clusters=known["cluster_key"].nunique(), cases=known.count(), one=compensated_sum(w), two=compensated_sum(w * w)
    )
    return {
        str(row["arm"]): float(row["clusters"] * row["one"] ** 2 / row["two"] / row["cases"])
        for row in book.frame(sizes).to_dict("records")
    }


def _with_distances(rows: pd.DataFrame, apart: list[dict[str, object]]) -> pd.DataFrame:
    """The rows of means with the distances of their variables: numbers as found, codes from their shares."""
    found = pd.DataFrame(apart, columns=["variable", "arm", "distance", "p_distance", "cut", "lower"]).assign(level="")
    found["p_distance"] = holm(found["p_distance"].astype(float)) if len(found) else found["p_distance"]
    joined = rows.merge(found, on=["variable", "arm", "level"], how="left", validate="one_to_one")
    apart_by = (joined["mean"] - joined["base_mean"]).abs().groupby([joined["variable"], joined["arm"]]).transform("sum") / 2
    joined["distance"] = joined["distance"].astype(float).mask(joined["kind"] == "code", apart_by)
    return joined


def _moments(
    book: Book, table: ir.Table, parts: Sequence[_Part], sums: pd.DataFrame, *, arms: Sequence[str], strata: Sequence[str]
) -> dict[str, dict[str, Moments]]:
    """Stratum -> arm -> the sums over clusters that the joint test takes, of standardised columns; one stratum where none is named."""
    known = sums.drop_duplicates("column").set_index("column")
    stratum = table["stratum"].cast("string").fill_null(UNKNOWN) if strata else ibis.literal("")
    z = {part.column: ((table[part.column] - known["centre"][part.column]) / known["scale"][part.column]).fill_null(0.0) for part in parts}
    scored = table.select("arm", "cluster_key", group=stratum, **z)
    totals = {name: compensated_sum(scored[name]) for name in z}
    clusters = scored.group_by(["group", "arm", "cluster_key"]).aggregate(n=scored.count().cast("float64"), **totals)
    names = ["n", *z]
    pairs = list(itertools.combinations_with_replacement(range(len(names)), 2))
    asked: dict[str, ir.Value] = {f"s{place}": compensated_sum(clusters[name]) for place, name in enumerate(names)}
    asked |= {f"p{a}_{b}": sum_of_products(clusters[names[a]], clusters[names[b]]) for a, b in pairs}
    found = book.frame(clusters.group_by(["group", "arm"]).aggregate(clusters=clusters.count(), **asked))
    cells: dict[str, dict[str, Moments]] = {}
    for row in found.sort_values(["group", "arm"]).to_dict("records"):
        products = np.zeros((len(names), len(names)))
        for a, b in pairs:
            products[a, b] = products[b, a] = float(row[f"p{a}_{b}"])
        own = np.array([float(row[f"s{place}"]) for place in range(len(names))])
        nobody = Moments(clusters=0, sums=np.zeros(len(names)), products=np.zeros((len(names), len(names))))
        cells.setdefault(str(row["group"]), dict.fromkeys(arms, nobody))[str(row["arm"])] = Moments(
            clusters=int(row["clusters"]), sums=own, products=products
        )
    return cells
