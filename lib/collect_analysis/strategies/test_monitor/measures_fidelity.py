"""Is a running test still what was planned: how the arms were worked week by week, who crossed arms, who was lost; aggregates by arm."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import Cohort
from collect_analysis.measures.cohort_events import contacts_within
from collect_analysis.measures.reopened import lasting_exits

WEEK = 7
DOSE_COLUMNS = ["outcome", "week", "arm", "cases", "clusters", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"]
# An account that left in one of these ways can no longer be worked, whatever its arm.
LEFT = ("recalled", "sold", "written_off")
_SECONDS = 60.0


def weekly_doses(book: Book, cohort: Cohort, arms: Sequence[str], *, days: int) -> pd.DataFrame:
    """How much was each arm worked, week by week of the calendar?

    Counted over subjects in their first `days` days after assignment, so that weeks are comparable while accounts keep coming in. A ratio
    of sums over clusters: y is the dose of the week, x the account-weeks (account-days / 7) in it; what `experiments.compare_ratios` takes.
    Columns: outcome (outbound_contacts, agent_minutes), week (its first day; weeks run from the first assignment), arm, cases (subjects in
    their first days that week), clusters, sum_y, sum_x, sum_yy, sum_xx, sum_xy. Empty where the cohort has no dated contacts.
    """
    table = subjects_of(cohort, arms)
    first = book.scalar(table["assigned_on"].min())
    if cohort.supplied or not isinstance(first, date) or "outbound_contacts" in cohort.untold:
        return pd.DataFrame(columns=DOSE_COLUMNS)
    dated = table.filter(table["assigned_on"].notnull()).select("subject_key", "cluster_key", "arm", "assigned_on")
    exposed = _exposure(dated, first, cohort.as_of, days)
    worked = _worked(book, dated, first, days)
    joined = exposed.left_join(worked, ["arm", "cluster_key", "week"])
    doses = {name: joined[name].fill_null(0) for name in ("contacts", "seconds")}
    rows = joined.select("arm", "week", "subjects", "exposed", **doses)
    x = rows["exposed"]
    sums: dict[str, ir.Value] = {"clusters": rows.count(), "cases": rows["subjects"].sum(), "x": x.sum(), "xx": sum_of_products(x, x)}
    for name in doses:
        sums |= {name: rows[name].sum(), f"{name}_2": sum_of_products(rows[name], rows[name]), f"{name}_x": sum_of_products(rows[name], x)}
    found = book.frame(rows.group_by(["week", "arm"]).aggregate(**sums)).sort_values(["week", "arm"], ignore_index=True)
    found[list(sums)] = found[list(sums)].astype(float)
    names = {"outbound_contacts": ("contacts", 1.0), "agent_minutes": ("seconds", _SECONDS)}
    parts = [_dose(found, outcome, column, scale, first) for outcome, (column, scale) in names.items()]
    return pd.concat(parts, ignore_index=True)[DOSE_COLUMNS]


def _dose(found: pd.DataFrame, outcome: str, column: str, scale: float, first: date) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outcome": outcome,
            "week": [first + timedelta(days=WEEK * int(week)) for week in found["week"]],
            "arm": found["arm"],
            "cases": found["cases"],
            "clusters": found["clusters"],
            "sum_y": found[column] / scale,
            "sum_x": found["x"] / WEEK,
            "sum_yy": found[f"{column}_2"] / scale**2,
            "sum_xx": found["xx"] / WEEK**2,
            "sum_xy": found[f"{column}_x"] / scale / WEEK,
        }
    )


def _week_of(day: ir.DateValue, first: date) -> ir.IntegerValue:
    return (day.delta(ibis.literal(first), unit="day") // WEEK).cast("int64")


def _exposure(dated: ir.Table, first: date, as_of: date, days: int) -> ir.Table:
    """Days that a cluster's subjects spent in their first `days` days, by week: arm, cluster_key, week, subjects, exposed (days)."""
    start = dated["assigned_on"].delta(ibis.literal(first), unit="day")
    end = ibis.least(start + days, (as_of - first).days)
    spans = dated.select("arm", "cluster_key", start=start.cast("int64"), end=end.cast("int64"))
    weeks = spans.mutate(week=ibis.range(spans["start"] // WEEK, spans["end"] // WEEK + 1).unnest().cast("int64"))
    exposed = ibis.least(weeks["end"], weeks["week"] * WEEK + WEEK - 1) - ibis.greatest(weeks["start"], weeks["week"] * WEEK) + 1
    weeks = weeks.mutate(exposed=exposed)
    return weeks.group_by(["arm", "cluster_key", "week"]).aggregate(subjects=weeks.count(), exposed=weeks["exposed"].sum().cast("int64"))


def _worked(book: Book, dated: ir.Table, first: date, days: int) -> ir.Table:
    """Contacts and agent seconds of a cluster by week: arm, cluster_key, week, contacts (outbound), seconds (talk and wrap)."""
    inside = contacts_within(book, dated, days)
    rows = inside.select(
        "arm",
        "cluster_key",
        week=_week_of(inside["local_ts"].date(), first),
        contacts=(inside["direction"] == "out").cast("int64"),
        seconds=inside["officer_key"].notnull().ifelse(inside["talk_s"].fill_null(0) + inside["wrap_s"].fill_null(0), 0).cast("int64"),
    )
    return rows.group_by(["arm", "cluster_key", "week"]).aggregate(
        contacts=rows["contacts"].sum().cast("int64"), seconds=rows["seconds"].sum().cast("int64")
    )


def crossings(book: Book, cohort: Cohort, arms: Sequence[str], *, treatments: Mapping[str, Sequence[str]], days: int) -> pd.DataFrame:
    """Who met the other arm after assignment?

    Parameters
    ----------
    treatments
        Arm -> contact templates and campaigns that only this arm may get; a contact of the first `days` days with one of another arm's is a
        crossing. Empty: treatment of the other arm is not looked for.

    Returns
    -------
    A row per arm: arm, cases, moved (subjects decided into another arm later), shared (subjects whose customer is in another arm too),
    met_treatment (subjects that got a treatment of another arm; NaN where not looked for), numerator (subjects with any of these), denominator.
    """
    table = subjects_of(cohort, arms)
    several = table.group_by("cluster_key").aggregate(arms_of_cluster=table["arm"].nunique())
    rows = table.join(several, "cluster_key").select("subject_key", "arm", "arms_seen", "arms_of_cluster")
    met = _treated_otherwise(book, table, treatments, days) if treatments and not cohort.supplied else None
    if met is not None:
        joined = rows.left_join(met, "subject_key")
        rows = joined.select(*(rows[name] for name in rows.columns), met_treatment=joined["met"].fill_null(0))
    else:
        rows = rows.mutate(met_treatment=ibis.literal(0, type="int64"))
    moved, shared = (rows["arms_seen"] > 1).fill_null(False), rows["arms_of_cluster"] > 1
    any_of = moved | shared | (rows["met_treatment"] > 0)
    found = book.frame(
        rows.group_by("arm").aggregate(
            cases=rows.count(), moved=moved.sum(), shared=shared.sum(), met_treatment=rows["met_treatment"].sum(), numerator=any_of.sum()
        )
    )
    by_arm = found.set_index("arm").reindex(list(arms)).fillna(0).astype("int64")
    if met is None:
        by_arm["met_treatment"] = float("nan")
    return by_arm.assign(denominator=by_arm["cases"]).rename_axis("arm").reset_index()


def _treated_otherwise(book: Book, table: ir.Table, treatments: Mapping[str, Sequence[str]], days: int) -> ir.Table:
    """Subjects that got what only another arm may get: subject_key, met (1)."""
    inside = contacts_within(book, table.select("subject_key", "arm", "assigned_on"), days)
    foreign: ir.BooleanValue = ibis.literal(False)
    for arm, names in treatments.items():
        own = inside["template"].isin(list(names)).fill_null(False) | inside["campaign"].isin(list(names)).fill_null(False)
        foreign = foreign | ((inside["arm"] != arm) & own)
    rows = inside.filter(foreign)
    return rows.select("subject_key").distinct().mutate(met=ibis.literal(1, type="int64"))


def losses(book: Book, cohort: Cohort, arms: Sequence[str], *, outcome_column: str, days: int) -> pd.DataFrame:
    """Who was lost after assignment, by arm?

    From the book: subjects that the book of accounts does not hold, and those that were recalled, sold or written off at a month end of
    their first `days` days. From a supplied cohort: subjects whose outcome is missing.
    Columns: arm, cases, no_longer_found (no such account, or no outcome), left (recalled, sold, written off), numerator (either), denominator. Without
    month ends nobody knows who left: both are undefined, and `note` says so.
    """
    table = subjects_of(cohort, arms)
    if cohort.supplied:
        rows = table.select("arm", unknown=table[outcome_column].isnull().cast("int64"), left=ibis.literal(0, type="int64"))
    else:
        rows = _lost_from_book(book, table, days)
    either = (rows["unknown"] + rows["left"] > 0).sum()
    found = book.frame(
        rows.group_by("arm").aggregate(cases=rows.count(), no_longer_found=rows["unknown"].sum(), left=rows["left"].sum(), numerator=either)
    )
    by_arm = found.set_index("arm").reindex(list(arms)).fillna(0).astype("int64")
    by_arm = by_arm.assign(denominator=by_arm["cases"])
    if why := cohort.lacking(book, "month_end"):
        by_arm = by_arm.astype({"left": float, "numerator": float}).assign(left=np.nan, numerator=np.nan, note=why)
    return by_arm.rename_axis("arm").reset_index()


def _lost_from_book(book: Book, table: ir.Table, days: int) -> ir.Table:
    subjects = table.select("subject_key", "arm", "assigned_on")
    month_end = book.table("month_end")
    gone = lasting_exits(month_end)
    ends = gone.filter(gone["status"].isin(LEFT)).select("account_key", "month_end")
    joined = subjects.join(ends, subjects["subject_key"] == ends["account_key"])
    day = joined["month_end"].delta(joined["assigned_on"], unit="day")
    gone = joined.filter(day >= 0, day <= days).select("subject_key").distinct().mutate(left=ibis.literal(1, type="int64"))
    known = book.table("account").select(known_key="account_key").distinct()
    rows = subjects.left_join(gone, "subject_key")
    rows = rows.select("subject_key", "arm", left=rows["left"].fill_null(0))
    rows = rows.left_join(known, rows["subject_key"] == known["known_key"])
    # A source without the table of accounts cannot tell who is missing from it.
    unknown = rows["known_key"].isnull() if book.has("account") else ibis.literal(False)
    return rows.select("arm", "left", unknown=unknown.cast("int64"))
