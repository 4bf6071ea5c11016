"""What partners do with the accounts placed with them: coverage, intensity, first attempts, dormant accounts; declared and verified apart.

An attempt belongs to the placement it was made on: same account, same unit, while the placement ran. `declared` counts every attempt in the
log; `verified` only those with a recording or a system log behind them (`contact.verified_log` true). What a partner merely declares is
never used as verified.
"""

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.contact import is_attempt, is_right_party
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.measures.placements import Panel, of_panel
from collect_analysis.measures.scopes import count_of, within
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import ratio_interval, wilson_interval

DECLARED, VERIFIED, BOOK = "declared", "verified", "book"
COLUMNS = ("unit_key", "measure", "numerator", "denominator", "value", "low", "high", "unit", "source", "note")
MEASURES = ("coverage", "intensity", "days_to_first_median", "days_to_first_mean", "dormant_share", "rpc_per_attempt", "verified_share")
# Attempts per account are told per month of 30 days; an account untouched for longer than that is dormant.
MONTH_DAYS, COVERED_DAYS, DORMANT_DAYS = 30, 30, 30
NO_CONTACTS = "the book has no contacts"
NO_RECORDINGS = "declared only: no attempt has a recording or a system log behind it"
_UNDEFINED = {
    "coverage": "no placement is old enough",
    "intensity": "no day on placement",
    "days_to_first_median": "no attempt on a placement",
    "days_to_first_mean": "no attempt on a placement",
    "dormant_share": "no active placement is old enough",
    "rpc_per_attempt": "no attempt on a placement",
    "verified_share": "no attempt on a placement",
}


def attempts_on(book: Book, placements: ir.Table, windows: KpiWindows) -> ir.Table:
    """The attempts a unit made on its own placements: decision_key, event_key, day, waited (days since placement), verified, right_party (0/1).

    `placements`: rows of `placements.placed`, which holds an account in one placement at a time.
    """
    contact = book.table("contact")
    rows = contact.filter(is_attempt(contact, windows), contact.unit_key.notnull())
    made = rows.select(
        "event_key",
        on_account="account_key",
        by_unit="unit_key",
        day=rows.local_ts.date(),
        verified=rows.verified_log.fill_null(False).cast("int64"),
        right_party=is_right_party(rows).cast("int64"),
    )
    held = placements.select("decision_key", "account_key", "unit_key", "from_date", "to_date")
    same = [held.account_key == made.on_account, held.unit_key == made.by_unit, made.day >= held.from_date]
    joined = held.inner_join(made, same).filter(lambda pair: pair.to_date.isnull() | (pair.day < pair.to_date))
    waited = joined.day.delta(joined.from_date, unit="day").cast("int64")
    return joined.select("decision_key", "event_key", "day", "verified", "right_party", waited=waited)


def worked(book: Book, placements: ir.Table, windows: KpiWindows, *, start: date | None = None, end: date | None = None) -> ir.Table:
    """Each placement with what was done on it, from `start` to `end` (None: as long as it ran, to `as_of`).

    Columns: those of `placements.placed`, days (on placement within these days), and per source (`_declared`, `_verified`): attempts,
    right_party, first_wait (days from placement to the first attempt), last_day.
    """
    made = attempts_on(book, placements, windows)
    made = made.filter(within(made.day, start, end or book.as_of)) if start else made
    sure = made.verified == 1
    sums = {
        "attempts_declared": made.count(), "attempts_verified": made.verified.sum(),
        "right_party_declared": made.right_party.sum(), "right_party_verified": made.right_party.sum(where=sure),
        "first_wait_declared": made.waited.min(), "first_wait_verified": made.waited.min(where=sure),
        "last_day_declared": made.day.max(), "last_day_verified": made.day.max(where=sure),
    }  # fmt: skip
    by_placement = made.group_by(of_decision="decision_key").agg(**sums)
    joined = placements.left_join(by_placement, [("decision_key", "of_decision")])
    over = ibis.literal((end or book.as_of) + timedelta(days=1))
    until = ibis.least(ibis.coalesce(joined.to_date, over), over)
    since = ibis.greatest(joined.from_date, ibis.literal(start)) if start else joined.from_date
    days = ibis.greatest(until.delta(since, unit="day").cast("int64"), ibis.literal(0, "int64"))
    counted = {name: joined[name].fill_null(0).cast("int64") for name in sums if name.startswith(("attempts", "right_party"))}
    rest = [name for name in sums if name not in counted]
    return joined.select(*placements.columns, *rest, days=days, **counted)


def activity(book: Book, panel: Panel, *, windows: KpiWindows | None = None, level: float = CONFIDENCE) -> pd.DataFrame:
    """How much does each partner do on the accounts placed with it, as it declares and as recordings and systems confirm?

    Formulas, over the placements of the panel as they stood on `as_of`:
    coverage (share): placements with an attempt within 30 days / placements made at least 30 days ago, whatever became of them;
    intensity (per_account_month): attempts / account-days on placement x 30;
    days_to_first_median, days_to_first_mean (days): from placement to the first attempt, of the placements that have one;
    dormant_share (share): active placements without an attempt in the last 30 days / active placements at least 30 days old;
    rpc_per_attempt (share): attempts that reached the right party / attempts;
    verified_share (share): attempts with a recording or system log / attempts (source `book`).
    Intervals: Wilson for shares of placements; over customers (delta method) for ratios of sums; order statistics for the median; normal for
    the mean.

    Columns: see COLUMNS; one row per unit, measure and source (declared, verified, book), sorted. Undefined (NaN, with the reason in note):
    nothing to divide by; verified rows of a unit without any recording. The note of its declared rows says so, and their values stay.
    """
    windows = windows or KpiWindows()
    base = of_panel(book, panel)
    if not book.has("contact"):
        return _absent(book, base)
    with book.materialized(worked(book, base, windows)) as rows:
        counts = book.frame(rows.group_by("unit_key").agg(**_placement_counts(book, rows)))
        sums = book.frame(_ratio_sums(rows))
        waits = _waits(book, rows)
    table = pd.concat([_shares(counts, level), _ratios(sums, level), _times(counts, waits, level)], ignore_index=True)
    return _ordered(_flagged(table, sums))


def _placement_counts(book: Book, rows: ir.Table) -> dict[str, ir.IntegerScalar]:
    today = book.as_of
    old = rows.from_date <= ibis.literal(today - timedelta(days=COVERED_DAYS))
    active = rows.to_date.isnull() & (rows.from_date <= ibis.literal(today - timedelta(days=DORMANT_DAYS)))
    sums = {"coverage.of": count_of(old), "dormant_share.of": count_of(active)}
    for source in (DECLARED, VERIFIED):
        first, last = rows[f"first_wait_{source}"], rows[f"last_day_{source}"]
        sums[f"coverage.{source}"] = count_of(old & (first <= COVERED_DAYS))
        stale = last.isnull() | (last < ibis.literal(today - timedelta(days=DORMANT_DAYS)))
        sums[f"dormant_share.{source}"] = count_of(active & stale)
    return sums


_PAIRS = {
    ("intensity", DECLARED): ("attempts_declared", "days"),
    ("intensity", VERIFIED): ("attempts_verified", "days"),
    ("rpc_per_attempt", DECLARED): ("right_party_declared", "attempts_declared"),
    ("rpc_per_attempt", VERIFIED): ("right_party_verified", "attempts_verified"),
    ("verified_share", BOOK): ("attempts_verified", "attempts_declared"),
}


def _ratio_sums(rows: ir.Table) -> ir.Table:
    """Sums and products over customers, per unit, of every column that stands in a ratio."""
    names = sorted({name for pair in _PAIRS.values() for name in pair})
    customer = rows.group_by("unit_key", "customer_key").agg(**{name: rows[name].sum().cast("int64") for name in names})
    sums: dict[str, ir.Scalar] = {"n": customer.count()}
    sums |= {f"s.{name}": customer[name].sum().cast("int64") for name in names}
    products = {tuple(sorted((left, right))) for pair in _PAIRS.values() for left in pair for right in pair}
    sums |= {f"p.{left}.{right}": sum_of_products(customer[left], customer[right]) for left, right in sorted(products)}
    return customer.group_by("unit_key").agg(**sums)


def _waits(book: Book, rows: ir.Table) -> pd.DataFrame:
    """How many placements of each unit had their first attempt after how many days: unit_key, source, days, n."""
    parts = []
    for source in (DECLARED, VERIFIED):
        known = rows.filter(rows[f"first_wait_{source}"].notnull())
        parts.append(book.frame(known.group_by("unit_key", days=known[f"first_wait_{source}"]).agg(n=known.count())).assign(source=source))
    return pd.concat(parts, ignore_index=True).sort_values(["unit_key", "source", "days"], ignore_index=True)


def _shares(counts: pd.DataFrame, level: float) -> pd.DataFrame:
    parts = []
    for measure in ("coverage", "dormant_share"):
        for source in (DECLARED, VERIFIED):
            part = pd.DataFrame({"unit_key": counts["unit_key"], "measure": measure, "source": source, "unit": "share"})
            part["numerator"], part["denominator"] = counts[f"{measure}.{source}"].astype(float), counts[f"{measure}.of"].astype(float)
            part["value"] = part["numerator"] / part["denominator"].where(part["denominator"] > 0)
            part["low"], part["high"] = wilson_interval(part["numerator"], part["denominator"], level=level)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _ratios(sums: pd.DataFrame, level: float) -> pd.DataFrame:
    parts = []
    for (measure, source), (y, x) in _PAIRS.items():
        scale = MONTH_DAYS if measure == "intensity" else 1
        cross = "p." + ".".join(sorted((y, x)))
        low, high = ratio_interval(
            count=sums["n"], sum_y=sums[f"s.{y}"], sum_x=sums[f"s.{x}"], sum_yy=sums[f"p.{y}.{y}"], sum_xx=sums[f"p.{x}.{x}"],
            sum_xy=sums[cross], level=level,
        )  # fmt: skip
        part = pd.DataFrame({"unit_key": sums["unit_key"], "measure": measure, "source": source})
        part["numerator"], part["denominator"] = sums[f"s.{y}"].astype(float), sums[f"s.{x}"] / scale
        part["value"] = part["numerator"] / part["denominator"].where(part["denominator"] > 0)
        most = np.inf if measure == "intensity" else 1.0
        part["low"], part["high"] = np.clip(low * scale, 0, None), np.clip(high * scale, None, most)
        part["unit"] = "per_account_month" if measure == "intensity" else "share"
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _times(counts: pd.DataFrame, waits: pd.DataFrame, level: float) -> pd.DataFrame:
    found = []
    for unit in counts["unit_key"]:
        for source in (DECLARED, VERIFIED):
            part = waits[(waits["unit_key"] == unit) & (waits["source"] == source)]
            for measure, summary in (
                ("days_to_first_median", quantile_of_counts(part["days"], part["n"], level=level)),
                ("days_to_first_mean", mean_of_counts(part["days"], part["n"], level=level)),
            ):
                found.append({"unit_key": unit, "measure": measure, "source": source, "unit": "days", **summary})
    return pd.DataFrame(found)


def mean_of_counts(days: pd.Series, n: pd.Series, *, level: float = CONFIDENCE) -> dict[str, float]:
    """Mean of whole days told as counts: numerator (days in all), denominator (cases), value, low, high (normal). NaN without a case."""
    x, weight = days.to_numpy(float), n.to_numpy(float)
    cases = float(weight.sum())
    if cases == 0:
        return {"numerator": 0.0, "denominator": 0.0, "value": np.nan, "low": np.nan, "high": np.nan}
    mean = float((x * weight).sum() / cases)
    spread = float((weight * (x - mean) ** 2).sum())
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(spread / (cases - 1) / cases) if cases > 1 else np.nan
    return {"numerator": float((x * weight).sum()), "denominator": cases, "value": mean, "low": max(mean - half, 0.0), "high": mean + half}


def quantile_of_counts(days: pd.Series, n: pd.Series, *, share: float = 0.5, level: float = CONFIDENCE) -> dict[str, float]:
    """A quantile of whole days told as counts, with the interval of order statistics: numerator (cases up to it), denominator (cases).

    Formula: the smallest day by which at least `share` of the cases came; low and high are the order statistics at the binomial quantiles
    of (cases, share). NaN without a case. Source: Conover, Practical Nonparametric Statistics (1999) 3.2.
    """
    order = np.argsort(days.to_numpy(float), kind="stable")
    x, cumulated = days.to_numpy(float)[order], np.cumsum(n.to_numpy(float)[order])
    cases = float(cumulated[-1]) if len(cumulated) else 0.0
    if cases == 0:
        return {"numerator": 0.0, "denominator": 0.0, "value": np.nan, "low": np.nan, "high": np.nan}

    def at(rank: float) -> float:
        return float(x[min(int(np.searchsorted(cumulated, rank)), len(x) - 1)])

    value = at(np.ceil(share * cases))
    low = at(max(stats.binom.ppf((1 - level) / 2, cases, share), 1.0))
    high = at(min(stats.binom.ppf((1 + level) / 2, cases, share) + 1, cases))
    return {"numerator": float(cumulated[x <= value][-1]), "denominator": cases, "value": value, "low": low, "high": high}


def _flagged(table: pd.DataFrame, sums: pd.DataFrame) -> pd.DataFrame:
    """Notes: why a value is undefined; which units declare activity and have no recording behind any of it."""
    bare = set(sums.loc[(sums["s.attempts_declared"] > 0) & (sums["s.attempts_verified"] == 0), "unit_key"])
    silent = table["unit_key"].isin(bare)
    lost = silent & (table["source"] == VERIFIED)
    table.loc[lost, ["numerator", "value", "low", "high"]] = np.nan
    reason = table["measure"].map(_UNDEFINED)
    table["note"] = np.where(silent, NO_RECORDINGS, np.where(table["value"].isna(), reason, ""))
    return table


def _absent(book: Book, base: ir.Table) -> pd.DataFrame:
    units = book.frame(base.select("unit_key").distinct())["unit_key"]
    rows = [
        {"unit_key": unit, "measure": measure, "source": source, "unit": "", "note": NO_CONTACTS}
        for unit in units
        for measure in MEASURES
        for source in ((BOOK,) if measure == "verified_share" else (DECLARED, VERIFIED))
    ]
    table = pd.DataFrame(rows, columns=["unit_key", "measure", "source", "unit", "note"])
    return _ordered(table.assign(numerator=np.nan, denominator=np.nan, value=np.nan, low=np.nan, high=np.nan))


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    place = table["measure"].map({name: place for place, name in enumerate(MEASURES)})
    return table.assign(place=place).sort_values(["unit_key", "place", "source"], ignore_index=True)[list(COLUMNS)]
