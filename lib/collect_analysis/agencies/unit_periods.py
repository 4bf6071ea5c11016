"""Agencies from unit totals alone: what opening inventory, placements and collections per period can say, and what they cannot.

Reads table `unit_period`. Without accounts there are no batches, no comparable strata and no arms: rates here describe, they do not rank.
"""

from collections.abc import Mapping
from datetime import date

import ibis
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.scopes import distinct_names

NEW_UNIT = "new unit: no inventory at the start of the period"
RECALLED = "inventory was taken back before this period: the denominator fell, not the agency's effort rose"
AFTER_RECALL = "inventory was taken back in an earlier period and less placed since than was left: what was left are the accounts that pay"
NOT_RECORDED = "nothing recorded where half of the other units have {low} to {high}: a gap in recording, not a result"
NOTHING_IN_TOTAL = "nothing collected is recorded though the unit holds inventory and other units collect: a gap in recording, not a result"
TOO_YOUNG = "too young: half of what was placed is at most {months} months old, this component needs {needed}"
NOTHING_COLLECTED = "nothing collected"
_MONTH_DAYS = 365.2425 / 12
# A channel through which the lower quarter of the units that have it get this share of their money is no rarity that a unit may lack.
COMMON = 0.05
LEAST_OTHERS = 3
TOTAL = "collected"
GAP_COLUMNS = ("unit_key", "unit_name", "period_start", "component", "collected_minor", "others", "others_low", "others_high")


def read(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """The unit totals of the periods within [start, end], one row per unit and period.

    Columns: unit_key, unit_name (its latest name), called (all its names, in order of time), period_start, period_end (days), opening_minor,
    placed_minor, collected_minor (NaN: none), the components `collected_<name>_minor`, is_new (flag: marked by the source, or no opening
    inventory in the unit's first period). Sorted.
    Undefined: empty where the book has no such rows.
    """
    table = book.table("unit_period")
    rows = book.frame(table.filter(table.period_start >= ibis.literal(start), table.period_end <= ibis.literal(end)))
    rows = rows.drop(columns=["currency"]).sort_values(["unit_key", "period_start"], ignore_index=True)
    for name in ("period_start", "period_end"):
        rows[name] = pd.to_datetime(rows[name])
    first = rows.groupby("unit_key")["period_start"].transform("min") == rows["period_start"]
    rows["is_new"] = rows["is_new"].fillna(False).astype(bool) | (first & rows["opening_minor"].isna())
    # One unit, one name: the key joins what a source calls differently from period to period.
    known = rows.assign(unit_name=rows["unit_name"].fillna("")).sort_values(["period_start", "unit_key"])
    names = known[known["unit_name"] != ""].groupby("unit_key")["unit_name"].agg(lambda found: list(dict.fromkeys(found))).to_dict()
    latest = distinct_names({str(key): names.get(key, [key])[-1] for key in rows["unit_key"].unique()})
    rows["unit_name"] = [latest[key] for key in rows["unit_key"]]
    rows["called"] = [" → ".join(names.get(key, [key])) for key in rows["unit_key"]]
    return rows


def components(rows: pd.DataFrame) -> list[str]:
    """Names of the components that collections are made of: `letters` for column `collected_letters_minor`."""
    return [
        name.removeprefix("collected_").removesuffix("_minor")
        for name in rows.columns
        if name.startswith("collected_") and name.endswith("_minor") and name != "collected_minor"
    ]


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """How much did all units together collect of their opening inventory, period by period?

    Columns: period_start, period_end, units, opening_minor, placed_minor, collected_minor, value (collected / opening), numerator,
    denominator, note. New units collect without opening inventory; they are in the total, as the money is. Undefined: no opening inventory.
    """
    table = rows.groupby(["period_start", "period_end"], as_index=False).agg(
        units=("unit_key", "nunique"),
        opening_minor=("opening_minor", "sum"),
        placed_minor=("placed_minor", "sum"),
        collected_minor=("collected_minor", "sum"),
    )
    return _ratio(table, "collected_minor", "opening_minor", "no opening inventory").sort_values("period_start", ignore_index=True)


def liquidation(rows: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """What share of its opening inventory did each unit collect in each period, and when does that rate mislead?

    Columns: unit_key, unit_name, period_start, opening_minor, collected_minor, value (collected / opening), numerator, denominator,
    rate_before (value of the unit's previous period), on_old_inventory (collected / what the inventory would have been without recalls),
    verdict (ok, new, recalled: right after a recall, after_recall: later, until more was placed since than the recall had left; not_recorded:
    see `recording_gaps`), note. `flow` is the table of `continuity`. Undefined: new units, a gap in recording.
    """
    table = _after_recalls(_ratio(rows.copy(), "collected_minor", "opening_minor", NEW_UNIT), flow)
    lost = _lost_totals(rows)
    table["value"] = table["value"].mask(lost)
    table["rate_before"] = table.groupby("unit_key")["value"].shift()
    base = table["opening_minor"] + table["taken_back_minor"]
    table["on_old_inventory"] = (table["collected_minor"] / base.where(base > 0)).mask(lost)
    tests = [lost, table["opening_minor"].isna(), table["recalled"], table["after_recall"]]
    table["verdict"] = np.select(tests, ["not_recorded", "new", "recalled", "after_recall"], default="ok")
    for code, note in (("recalled", RECALLED), ("after_recall", AFTER_RECALL), ("not_recorded", NOTHING_IN_TOTAL)):
        table["note"] = table["note"].mask(table["verdict"] == code, note)
    columns = [
        "opening_minor",
        "collected_minor",
        "value",
        "numerator",
        "denominator",
        "rate_before",
        "on_old_inventory",
        "verdict",
        "note",
    ]
    return table[["unit_key", "unit_name", "period_start", *columns]].sort_values(["unit_key", "period_start"], ignore_index=True)


def _after_recalls(table: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """Adds taken_back_minor (all that was taken back before the period's start), recalled (right before it) and after_recall (before that,
    and since then less was placed than had been left).
    """
    taken = flow.loc[flow["verdict"] == "recalled", ["unit_key", "next_start", "gap_minor"]].rename(columns={"next_start": "period_start"})
    table = table.merge(taken, on=["unit_key", "period_start"], how="left", validate="one_to_one")
    recalled = table["gap_minor"].notna()
    units = table["unit_key"]
    table["taken_back_minor"] = -table["gap_minor"].fillna(0.0).groupby(units).cumsum()
    left = table["opening_minor"].where(recalled).groupby(units).ffill()
    # What was placed from the last recall on, up to the start of the period.
    times = recalled.groupby(units).cumsum()
    placed = table["placed_minor"].fillna(0.0)
    since = placed.groupby([units, times]).cumsum() - placed
    return table.assign(recalled=recalled, after_recall=(times > 0) & ~recalled & (since <= left.fillna(np.inf)))


def _lost_totals(rows: pd.DataFrame) -> pd.Series:
    """Rows with inventory of which nothing collected is recorded, while other units of the period collect (or, where none does, other periods)."""
    held = rows["opening_minor"].fillna(0) > 0
    nothing = held & ~(rows["collected_minor"].fillna(0) > 0)
    some = (held & (rows["collected_minor"] > 0)).astype(int)
    others, others_periods = (some.groupby(rows[name]).transform("sum") for name in ("period_start", "unit_key"))
    return nothing & ((others >= LEAST_OTHERS) | (others_periods >= LEAST_OTHERS))


def recording_gaps(rows: pd.DataFrame, *, months_needed: Mapping[str, int]) -> pd.DataFrame:
    """Where was nothing recorded that should be there: a unit's total, or a channel that is common elsewhere?

    A total: nothing collected although the unit holds inventory and at least `LEAST_OTHERS` other units of the period (else other periods of the
    unit) collect. A channel: none of a unit's money of a period although at least `LEAST_OTHERS` other units of the period, and half of all, have
    it and the lower quarter of them `COMMON` or more of their money (0.0 % while others lie at 10 to 60 %); or none in any unit of a period
    while the same holds of periods. Units too young for a channel that needs time (`months_needed`) are left out.
    Columns: GAP_COLUMNS; component: the channel, or `collected` for the total; others: how many have it; others_low, others_high: the
    middle half of their shares (NaN for totals). Sorted by unit, period, component.
    """
    found = [_gap_rows(rows[_lost_totals(rows)], TOTAL, pd.DataFrame())]
    money = rows["collected_minor"].where(rows["collected_minor"] > 0)
    age = _placement_age(rows) if len(rows) else pd.Series(dtype=float)
    for name in components(rows):
        share = (rows[f"collected_{name}_minor"].fillna(0) / money).rename("share")
        young = (rows["unit_key"].map(age) < months_needed.get(name, 0)).fillna(False)
        for by in ("period_start", "unit_key"):
            others = _others(share, rows[by])
            apart = (share == 0) & ~young & (others["others"] >= LEAST_OTHERS) & others["most"] & (others["others_low"] >= COMMON)
            # A unit's own periods tell only of a period in which no unit has the channel.
            alone = (share.fillna(0) > 0).groupby(rows["period_start"]).transform("sum") == 0
            chosen = apart if by == "period_start" else apart & alone
            found.append(_gap_rows(rows[chosen], name, others[chosen]))
    table = pd.concat([part for part in found if len(part)] or found[:1], ignore_index=True)
    return table.sort_values(["unit_key", "period_start", "component"], ignore_index=True)[list(GAP_COLUMNS)]


def _others(share: pd.Series, by: pd.Series) -> pd.DataFrame:
    """Of each row's group: how many have the channel (others), whether half of all do (most), between what the middle half of their shares lies."""
    have, known = share.where(share > 0).groupby(by), share.groupby(by)
    counts = have.transform("count")
    middle = {f"others_{side}": have.transform("quantile", at) for side, at in (("low", 0.25), ("high", 0.75))}
    return pd.DataFrame({"others": counts, "most": 2 * counts >= known.transform("count"), **middle})


def _gap_rows(rows: pd.DataFrame, component: str, others: pd.DataFrame) -> pd.DataFrame:
    table = rows[["unit_key", "unit_name", "period_start", "collected_minor"]].assign(component=component)
    for name in ("others", "others_low", "others_high"):
        table[name] = others.get(name, np.nan)
    return table


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Which share of what was placed did a unit get, and which share of the money did it bring?

    Columns: unit_key, unit_name, placed_minor, collected_minor, opening_minor (mean over periods), placed_share, opening_share,
    collected_share (of all units, 0-1), is_new. New placements bring money later: a gap between the shares is a question, not a verdict.
    """
    table = rows.groupby("unit_key", as_index=False).agg(
        unit_name=("unit_name", "last"),
        placed_minor=("placed_minor", "sum"),
        collected_minor=("collected_minor", "sum"),
        opening_minor=("opening_minor", "sum"),
        is_new=("is_new", "any"),
    )
    for name in ("placed", "opening", "collected"):
        whole = table[f"{name}_minor"].sum()
        table[f"{name}_share"] = table[f"{name}_minor"] / whole if whole > 0 else np.nan
    table["opening_minor"] = table["opening_minor"] / max(rows["period_start"].nunique(), 1)
    columns = ["placed_minor", "collected_minor", "opening_minor", "placed_share", "opening_share", "collected_share", "is_new"]
    return table[["unit_key", "unit_name", *columns]].sort_values("collected_minor", ascending=False, ignore_index=True)


def continuity(rows: pd.DataFrame, *, threshold: float) -> pd.DataFrame:
    """Is each unit's inventory what opening, placements and collections leave, or was some taken back?

    expected = opening + placed - collected (empty counts as 0); gap = next opening - expected; gap_share = gap / expected. verdict:
    recalled (gap_share under -threshold), added (over threshold), continuous. One row per unit and pair of successive periods.
    Columns: unit_key, unit_name, period_start, next_start, opening_minor, placed_minor, collected_minor, expected_minor,
    next_opening_minor, gap_minor, gap_share, rate_before, rate_after (collected / opening), verdict. Undefined: a unit without a next
    period has no row.
    """
    table = rows.copy()
    following = table.groupby("unit_key")
    table["next_start"] = following["period_start"].shift(-1)
    table["next_opening_minor"] = following["opening_minor"].shift(-1)
    table["rate_before"] = table["collected_minor"] / table["opening_minor"].where(table["opening_minor"] > 0)
    table["rate_after"] = following["collected_minor"].shift(-1) / table["next_opening_minor"].where(table["next_opening_minor"] > 0)
    # Successive means that the next period begins the day after: a hole in the data is no recall.
    table = table[table["next_start"] == table["period_end"] + pd.Timedelta(days=1)]
    table["expected_minor"] = table["opening_minor"].fillna(0) + table["placed_minor"].fillna(0) - table["collected_minor"]
    table["gap_minor"] = table["next_opening_minor"] - table["expected_minor"]
    table["gap_share"] = table["gap_minor"] / table["expected_minor"].where(table["expected_minor"] > 0)
    table["verdict"] = np.select(
        [table["gap_share"] < -threshold, table["gap_share"] > threshold], ["recalled", "added"], default="continuous"
    )
    columns = ["opening_minor", "placed_minor", "collected_minor", "expected_minor", "next_opening_minor", "gap_minor", "gap_share"]
    named = ["unit_key", "unit_name", "period_start", "next_start", *columns, "rate_before", "rate_after", "verdict"]
    return table[named].sort_values(["unit_key", "period_start"], ignore_index=True)


def channel_mix(rows: pd.DataFrame, *, months_needed: Mapping[str, int]) -> pd.DataFrame:
    """Through which channels does each unit's money come, and which channels can it not have yet?

    One row per unit and component over all periods: unit_key, unit_name, component, numerator (the component's money), denominator (all
    money), value (share), pooled (share of all units), note. `months_needed`: months from placement until a component can bring
    anything; while half of what a new unit was given is younger, it is not judged on it (value NaN, note). A channel with a gap in recording
    (`recording_gaps`) is not told of the unit either.
    Undefined: nothing collected, component too young, a gap in recording.

    Raises
    ------
    DataError
        `months_needed` names a component that the book does not have.
    """
    names = components(rows)
    unknown = sorted(set(months_needed) - set(names))
    if unknown:
        raise DataError(f"slow_components names {', '.join(unknown)}, which table unit_period does not have; known: {', '.join(names)}")
    if rows.empty or not names:
        return pd.DataFrame(columns=["unit_key", "unit_name", "component", "numerator", "denominator", "value", "pooled", "note"])
    age = _placement_age(rows)
    money = ["collected_minor", *(f"collected_{name}_minor" for name in names)]
    sums = rows.groupby("unit_key", as_index=False).agg(unit_name=("unit_name", "last"), **{name: (name, "sum") for name in money})
    parts = [
        sums[["unit_key", "unit_name"]].assign(
            component=name, numerator=sums[f"collected_{name}_minor"], denominator=sums["collected_minor"]
        )
        for name in names
    ]
    table = pd.concat(parts, ignore_index=True)
    pooled = table.groupby("component")["numerator"].transform("sum") / table.groupby("component")["denominator"].transform("sum")
    table = _ratio(table, "numerator", "denominator", NOTHING_COLLECTED).assign(pooled=pooled)
    needed = table["component"].map(dict(months_needed)).fillna(0).astype(int)
    months = table["unit_key"].map(age)
    young = months.notna() & (months < needed)
    table["value"] = table["value"].mask(young)
    reasons = [TOO_YOUNG.format(months=int(have), needed=need) for have, need in zip(months.fillna(0), needed, strict=True)]
    table["note"] = table["note"].where(~young, pd.Series(reasons, index=table.index))
    return _without_gaps(table, recording_gaps(rows, months_needed=months_needed)).sort_values(["unit_key", "component"], ignore_index=True)


def _without_gaps(mix: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """The mix without what was not recorded, and why."""
    ranges = gaps.groupby(["unit_key", "component"], as_index=False).agg(low=("others_low", "min"), high=("others_high", "max"))
    table = mix.merge(ranges, on=["unit_key", "component"], how="left", validate="one_to_one")
    silent = table["low"].notna()
    reasons = [NOT_RECORDED.format(low=f"{low:.1%}", high=f"{high:.1%}") for low, high in zip(table["low"], table["high"], strict=True)]
    table["value"], table["note"] = table["value"].mask(silent), table["note"].where(~silent, pd.Series(reasons, index=table.index))
    return table.drop(columns=["low", "high"])


def identity_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """In which rows do the components not add up to what was collected? unit_key, period_start, collected_minor, parts_minor, gap_minor."""
    names = [f"collected_{name}_minor" for name in components(rows)]
    if not names:
        return pd.DataFrame(columns=["unit_key", "period_start", "collected_minor", "parts_minor", "gap_minor"])
    parts = rows[names].fillna(0).sum(axis=1)
    table = rows.assign(parts_minor=parts, gap_minor=rows["collected_minor"] - parts)
    columns = ["unit_key", "period_start", "collected_minor", "parts_minor", "gap_minor"]
    return table.loc[table["gap_minor"] != 0, columns].reset_index(drop=True)


def stability(table: pd.DataFrame) -> pd.DataFrame:
    """Do the same units lead from one period to the next? Rank correlation of rates of successive periods, over units with `ok` in both.

    `table` is that of `liquidation`. Columns: period_start, next_start, units, value (Spearman, -1..1), note.
    Undefined: fewer than 4 units.
    """
    fair = table[table["verdict"] == "ok"].set_index(["unit_key", "period_start"])["value"].unstack()  # noqa: PD010 - one value per cell
    rows = []
    for before, after in zip(fair.columns[:-1], fair.columns[1:], strict=True):
        both = fair[[before, after]].dropna()
        enough = len(both) >= 4
        value = float(both[before].rank().corr(both[after].rank())) if enough else float("nan")
        rows.append(
            {
                "period_start": before,
                "next_start": after,
                "units": len(both),
                "value": value,
                "note": "" if enough else "fewer than 4 units",
            }
        )
    return pd.DataFrame(rows, columns=["period_start", "next_start", "units", "value", "note"])


def _placement_age(rows: pd.DataFrame) -> pd.Series:
    """Age in whole months, at the end of the data, of the younger half of what new units were given; by unit_key, NaN for other units.

    A period's placements count as made in its middle.
    """
    new = rows[rows.groupby("unit_key")["is_new"].transform("any") & rows["placed_minor"].notna()].sort_values("period_start")
    running = new.groupby("unit_key")["placed_minor"].cumsum() * 2
    half = new[running >= new.groupby("unit_key")["placed_minor"].transform("sum")].groupby("unit_key").first()
    middle = half["period_start"] + (half["period_end"] - half["period_start"]) / 2
    months = ((rows["period_end"].max() - middle).dt.days / _MONTH_DAYS).floordiv(1)
    return months.reindex(sorted(rows["unit_key"].unique()))


def _ratio(table: pd.DataFrame, numerator: str, denominator: str, undefined: str) -> pd.DataFrame:
    defined = table[denominator] > 0
    return table.assign(
        numerator=table[numerator],
        denominator=table[denominator],
        value=table[numerator] / table[denominator].where(defined),
        note=np.where(defined, "", undefined),
    )
