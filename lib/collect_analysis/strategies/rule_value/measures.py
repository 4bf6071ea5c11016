"""The value of proposed rules from logged draws, computed where the decisions live: two passes of sums, no frame of decisions."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import arm_sums
from collect_analysis.measures.cohort import Covariate, Outcome
from collect_analysis.methods.targeting import policy_value as pv
from collect_analysis.methods.trials.experiments import arm_means
from collect_analysis.strategies.decision_log import DecisionLog
from collect_analysis.strategies.rule_value.measures_rows import Row, chance, row_number

# A covariate with more values than this is cut at its quartiles.
MOST_VALUES = 10
_HEX = "0123456789abcdef"
Rules = Mapping[str, Sequence[Row]]


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Decisions with their weights under each rule.

    `base` holds per decision cluster_key, stratum, fold, action, y and per rule k row_k, weight_k, full_k. `sums` per rule: row, stratum,
    fold, action and `policy_value.SUMS`; `averages` per rule: `weight_averages` by row (0: all together); `chances`: row, action,
    probability. `cases`, `clusters`: decisions and independent customers.
    """

    base: ir.Table
    sums: Mapping[str, pd.DataFrame]
    averages: Mapping[str, pd.DataFrame]
    chances: Mapping[str, pd.DataFrame]
    cases: int
    clusters: int


def weigh(
    book: Book, log: DecisionLog, outcome: Outcome, rules: Rules, *, covariates: Sequence[Covariate] = (), folds: int = 5, seed: int = 1,
    max_weight: float | None = None,
) -> Weighed:  # fmt: skip
    """First pass: how does each rule weigh the decisions, and what do they sum to?

    `covariates` make the cells of the model finer (each value, or quartiles), beside the log's own stratum. Folds are those of the
    customer's hash, so that one customer's decisions stand together. `max_weight` cuts weights off. A decision without a possible
    probability, or without an outcome, counts 0: whoever calls refuses those first.
    """
    table = log.cohort.table
    names = {name: column for name, (column, _) in log.columns.items()}
    cluster, p = table["cluster_key"].cast("string"), table["propensity"]
    y = table[outcome.column]
    y = y.cast("int64") if y.type().is_integer() or y.type().is_boolean() else y.cast("float64")
    stratum = _stratum(book, table, covariates)
    columns: dict[str, ir.Value] = {
        "cluster_key": cluster, "stratum": stratum, "fold": _fold(cluster, folds, seed), "action": table["arm"].cast("string"),
        "y": y.fill_null(0), "certain": (p >= 1).fill_null(False).cast("int64"),
    }  # fmt: skip
    for k, rows in enumerate(rules.values()):
        row = row_number(table, rows, names)
        full = (p > 0).fill_null(False).ifelse(chance(row, table["arm"].cast("string"), rows) / p, 0.0)
        columns |= {f"row_{k}": row, f"full_{k}": full, f"weight_{k}": full if max_weight is None else ibis.least(full, max_weight)}
    base = table.select(**columns).cache()
    counts = book.frame(base.aggregate(cases=base.count(), clusters=base["cluster_key"].nunique())).iloc[0]
    return Weighed(
        base=base,
        sums={name: _sums(book, base, k) for k, name in enumerate(rules)},
        averages={name: _averages(book, base, k) for k, name in enumerate(rules)},
        chances={name: chances_of(rows) for name, rows in rules.items()},
        cases=int(counts["cases"]),
        clusters=int(counts["clusters"]),
    )


def chances_of(rows: Sequence[Row]) -> pd.DataFrame:
    """The probabilities of a rule as a table: row, action, probability."""
    found = [(number, action, float(share)) for number, row in enumerate(rows, 1) for action, share in row.chances.items()]
    return pd.DataFrame(found, columns=["row", "action", "probability"])


def _fold(cluster: ir.StringValue, folds: int, seed: int) -> ir.IntegerValue:
    """The fold of a customer: salted hash, the same on every engine."""
    digest = (ibis.literal(f"fold-{seed}-") + cluster).hexdigest("md5")
    digits = [ibis.literal(_HEX).find(digest.substr(place, 1)).cast("int64") for place in range(4)]
    number = ((digits[0] * 16 + digits[1]) * 16 + digits[2]) * 16 + digits[3]
    return (number % folds).cast("int64")


def _stratum(book: Book, table: ir.Table, covariates: Sequence[Covariate]) -> ir.StringValue:
    """The cells of the model beside the row of the rule: the log's stratum, and each covariate by value or quartile."""
    parts = [table["stratum"].cast("string").fill_null("")]
    for item in covariates:
        column = table[item.column]
        if column.type().is_string():
            parts.append(column.fill_null("?"))
            continue
        number = column.cast("float64")
        asked = {f"q{place}": number.quantile(place / 4) for place in (1, 2, 3)}
        found = book.frame(table.aggregate(values=column.nunique(), **asked)).iloc[0]
        if int(found["values"]) <= MOST_VALUES:
            band: ir.Value = number.cast("string")
        else:
            bounds = [float(found[name]) for name in asked]
            band = sum((number > bound).cast("int64") for bound in bounds).cast("string")
        parts.append(band.fill_null("?"))
    return ibis.literal("|").join(parts) if len(parts) > 1 else parts[0]


def _total(column: ir.Value) -> ir.Value:
    return column.sum().cast("int64") if column.type().is_integer() else compensated_sum(column)


def _sums(book: Book, base: ir.Table, k: int) -> pd.DataFrame:
    w, full, y = base[f"weight_{k}"], base[f"full_{k}"], base["y"]
    payer = (y != 0).cast("float64")
    keyed = base.mutate(row=base[f"row_{k}"])
    sums = keyed.group_by(pv.CELL).aggregate(
        n=keyed.count(), sum_y=_total(y), payers=(y != 0).cast("int64").sum(), sum_w=compensated_sum(w), sum_ww=compensated_sum(w * w),
        sum_wy=compensated_sum(w * y.cast("float64")), payers_w=compensated_sum(w * payer), payers_ww=compensated_sum(w * w * payer),
        full_w=compensated_sum(full), cut=(full > w).cast("int64").sum(), certain=base["certain"].sum(),
    )  # fmt: skip
    found = book.frame(sums).sort_values(pv.CELL, ignore_index=True)
    return found.astype(dict.fromkeys(pv.SUMS, float))[[*pv.CELL, *pv.SUMS]]


def _averages(book: Book, base: ir.Table, k: int) -> pd.DataFrame:
    """By row and for all together: whether weights average 1, counted by customer."""
    keyed = base.select("cluster_key", row=base[f"row_{k}"], excess=base[f"full_{k}"] - 1)
    parts = []
    for keys in (["cluster_key"], ["row", "cluster_key"]):
        cluster = keyed.group_by(keys).aggregate(n=keyed.count(), total=compensated_sum(keyed["excess"]))
        sums = {
            "n": cluster["n"].sum(), "excess": compensated_sum(cluster["total"]),
            "squares": sum_of_products(cluster["total"], cluster["total"]), "units": cluster.count(),
        }  # fmt: skip
        found = book.frame(cluster.group_by("row").aggregate(**sums) if "row" in keys else cluster.aggregate(**sums).mutate(row=0))
        parts.append(found)
    table = pd.concat(parts, ignore_index=True).sort_values("row", ignore_index=True)
    return pv.weight_averages(table.astype({"row": "int64", "n": float, "excess": float, "squares": float, "units": float}))


def values(book: Book, weighed: Weighed) -> tuple[dict[str, pv.Points], pv.Spread]:
    """Second pass: the estimates of every rule, and the squares and products of what each customer contributes to them."""
    points, predictions = {}, {}
    for name, sums in weighed.sums.items():
        predictions[name] = pv.cell_means(sums, weighed.chances[name])
        points[name] = pv.policy_points(sums, predictions[name])
    joined = weighed.base
    for k, name in enumerate(points):
        joined = _with_predictions(joined, predictions[name], k)
    y = joined["y"].cast("float64")
    influence: dict[tuple[str, str], ir.Value] = {}
    influence[pv.LOGGED] = (y - next(iter(points.values())).logged) / weighed.cases
    for k, (name, point) in enumerate(points.items()):
        w = joined[f"weight_{k}"]
        model = joined[f"rule_{k}"] + w * (y - joined[f"predicted_{k}"])
        influence[name, "ips"] = (w * y - _or_zero(point.ips)) / weighed.cases
        influence[name, "self_normalised"] = w * (y - _or_zero(point.self_normalised)) / (point.weight or 1.0)
        influence[name, "doubly_robust"] = (model - _or_zero(point.doubly_robust)) / weighed.cases
    return points, _spread(book, joined, influence, grouped=weighed.clusters < weighed.cases, units=weighed.clusters)


def _or_zero(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _with_predictions(table: ir.Table, predictions: pd.DataFrame, k: int) -> ir.Table:
    part = ibis.memtable(pa.Table.from_pandas(predictions[[*pv.CELL, "predicted", "predicted_rule"]], preserve_index=False))
    keys = [
        table[f"row_{k}"] == part["row"],
        table["stratum"] == part["stratum"],
        table["fold"] == part["fold"],
        table["action"] == part["action"],
    ]
    joined = table.inner_join(part, keys)
    return joined.select(
        *(table[column] for column in table.columns), part["predicted"].name(f"predicted_{k}"), part["predicted_rule"].name(f"rule_{k}")
    )


def _spread(book: Book, table: ir.Table, influence: Mapping[tuple[str, str], ir.Value], *, grouped: bool, units: int) -> pv.Spread:
    names = list(influence)
    parts = table.select("cluster_key", **{f"i{place}": column for place, column in enumerate(influence.values())})
    if grouped:
        parts = parts.group_by("cluster_key").aggregate(**{f"i{place}": compensated_sum(parts[f"i{place}"]) for place in range(len(names))})
    pairs = [
        (a, b) for a, b in itertools.combinations_with_replacement(range(len(names)), 2)
        if names[a][0] in ("", names[b][0]) or names[a][1] == names[b][1] == pv.ESTIMATORS[-1]
    ]  # fmt: skip
    sums = {f"p{place}": sum_of_products(parts[f"i{a}"], parts[f"i{b}"]) for place, (a, b) in enumerate(pairs)}
    found = book.frame(parts.aggregate(**sums)).iloc[0]
    matrix = np.full((len(names), len(names)), np.nan)
    for place, (a, b) in enumerate(pairs):
        matrix[a, b] = matrix[b, a] = float(found[f"p{place}"])
    return pv.Spread(names=names, matrix=matrix, units=units)


def row_facts(book: Book, log: DecisionLog, outcome: Outcome, rows: Sequence[Row]) -> pd.DataFrame:
    """What is known of the cases of each row of a rule, before any rule is tried?

    Columns: row, cases, clusters, payers, value (mean outcome), cv (of one case), design_effect, per_week (cases per week from the first to
    the last day of the log; NaN where all came on one day or no day is known).
    """
    table = log.cohort.table
    named = table.mutate(arm=row_number(table, rows, {name: column for name, (column, _) in log.columns.items()}).cast("string"))
    cohort = replace(log.cohort, table=named)
    numbers = [str(number) for number in range(1, len(rows) + 1)]
    means = arm_means(arm_sums(book, cohort, numbers, [outcome])).rename(columns={"positive": "payers"})
    days = book.frame(named.aggregate(first=named["assigned_on"].min(), last=named["assigned_on"].max())).iloc[0]
    length = (days["last"] - days["first"]).days + 1 if pd.notna(days["first"]) else 1
    per_week = means["cases"].astype(float) * 7 / length if length > 1 else np.nan
    facts = means.assign(row=means["arm"].astype(int), per_week=per_week)
    return facts.sort_values("row", ignore_index=True)[["row", "cases", "clusters", "payers", "value", "cv", "design_effect", "per_week"]]
