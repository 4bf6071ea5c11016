"""Partners: who they are, whether they may act, how they behave; the gates that stand before any praise for money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.agencies.placement_policy import GateLimits
from collect_analysis.book.store import Book
from collect_analysis.measures.conduct import LegalLimits, judged_contacts
from collect_analysis.measures.periods import Period, month_start
from collect_analysis.measures.placements import Panel, of_panel
from collect_analysis.measures.scopes import distinct_names
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import wilson_interval

PASS, WATCH, AUDIT, FAIL, BLOCKED, NO_DATA = "pass", "watch", "audit", "fail", "blocked", "no_data"
# From harmless to forbidding: the worst gate of a unit is its standing. No data is no reproach.
_WORST = (NO_DATA, PASS, WATCH, AUDIT, FAIL, BLOCKED)
_PER = {"share": 1, "per_1000": 1_000, "per_10000": 10_000}
# Why a unit may not act; a valid letter and a team of the house need no words.
_NOTES = {
    "expired": "authorisation expired",
    "missing": "no letter of authorisation or no legal kind of partner",
    "unknown": "not in the register of units on this day",
}
GATE_COLUMNS = ("unit_key", "gate", "numerator", "denominator", "unit", "value", "low", "high", "limit", "status", "note")


def register(book: Book) -> pd.DataFrame:
    """Who are the units, and may they act on the book's day?

    Columns: unit_key, unit_name, unit_type, partner_type, authorisation_id, authorised_to, capacity_accounts, tariff_id, authorisation
    (valid, expired, missing: an agency without letter or legal kind; not_needed: a team of the house; unknown: no row in table `unit` valid
    on the day). One row per unit named in placements, unit rows or unit periods. Sorted by unit_key.
    """
    unit, today = book.table("unit"), ibis.literal(book.as_of)
    rows = book.frame(unit.filter(unit.valid_to.isnull() | (unit.valid_to > today)))
    rows = rows.sort_values(["unit_key", "valid_from"]).drop_duplicates("unit_key", keep="last")
    named = book.frame(book.table("unit_period").select("unit_key", "unit_name", "period_end").distinct())
    named = named.sort_values(["unit_key", "period_end"]).drop_duplicates("unit_key", keep="last")
    placements = book.table("decision").filter(ibis._.kind == "placement", ibis._.unit_key.notnull())
    seen = book.frame(placements.select("unit_key").distinct())["unit_key"]
    keys = sorted({*rows["unit_key"], *named["unit_key"], *seen})
    table = pd.DataFrame({"unit_key": keys}).merge(rows, on="unit_key", how="left", validate="one_to_one")
    names = {**dict(zip(named["unit_key"], named["unit_name"], strict=True)), **dict(zip(rows["unit_key"], rows["name"], strict=True))}
    called = distinct_names({key: names.get(key) or key for key in keys})
    table["unit_name"] = [called[key] for key in table["unit_key"]]
    table["authorisation"] = _authorisation(table, book.as_of)
    columns = ["unit_type", "partner_type", "authorisation_id", "authorised_to", "capacity_accounts", "tariff_id", "authorisation"]
    return table[["unit_key", "unit_name", *columns]]


def _authorisation(table: pd.DataFrame, on: date) -> np.ndarray:
    known = table["unit_type"].notna()
    outside = table["unit_type"] == "agency"
    letter = table["authorisation_id"].notna() & table["authorised_to"].notna()
    legal = table["partner_type"].notna() & (table["partner_type"] != "none")
    expired = pd.to_datetime(table["authorised_to"]) < pd.Timestamp(on)
    return np.select([~known, ~outside, ~(letter & legal), expired], ["unknown", "not_needed", "missing", "expired"], default="valid")


@dataclass(frozen=True, kw_only=True)
class ConductWindow:
    """The months in which conduct is judged: the last `months` of a panel's period, or all of it if it is shorter."""

    start: date
    end: date

    @classmethod
    def of(cls, panel: Panel, *, months: int) -> "ConductWindow":
        """The window of a panel."""
        return cls(start=max(panel.start, month_start(panel.end, 1 - months)), end=panel.end)


def breaches(book: Book, window: ConductWindow, limits: Sequence[LegalLimits]) -> pd.DataFrame:
    """How many outbound contacts of each unit broke a limit, and how many reached somebody who owes nothing?

    Columns: unit_key, contacts (outbound, in the window), breach, party. Empty where the book has no contacts.

    Raises
    ------
    ParameterError
        The window is not of whole months.
    """
    if not book.has("contact"):
        return pd.DataFrame(columns=["unit_key", "contacts", "breach", "party"])
    judged = judged_contacts(book, Period(window.start, window.end), limits)
    judged = judged.filter(judged.unit_key.notnull())
    counts = judged.group_by("unit_key").agg(contacts=judged.count(), breach=judged.breach.sum(), party=judged.party.sum())
    return book.frame(counts).sort_values("unit_key", ignore_index=True)


def gates(
    book: Book, panel: Panel, contacts: pd.DataFrame, *, window: ConductWindow, limits: GateLimits, level: float = CONFIDENCE
) -> pd.DataFrame:
    """Does a unit behave well enough to be given more?

    One row per unit with placements and gate: authorisation; complaints opened in the window, per account it held in it (exact Poisson
    interval); third_party, contacts with people who owe nothing, and breaches of contact limits, per outbound contact; critical_qa, share
    of assessed contacts (Wilson intervals). Columns: see GATE_COLUMNS; value, low, high, limit in `unit` (share, per_1000, per_10000).
    status: blocked (no valid authorisation), fail (low over limit), watch (value over limit), pass, no_data. `contacts` is the table of
    `breaches` for the same window.
    """
    base = of_panel(book, panel)
    units = book.frame(base.select("unit_key").distinct()).sort_values("unit_key", ignore_index=True)
    rates = [
        (_complaints(book, base, window), "complaints", "per_10000", limits.complaints_per_10k),
        (_of(contacts, "party"), "third_party", "per_1000", limits.third_party_per_1000),
        (_of(contacts, "breach"), "breaches", "per_1000", limits.breaches_per_1000),
        (_critical(book, window), "critical_qa", "share", limits.critical_qa_share),
    ]
    parts = [_rated(units, counts, gate=gate, unit=unit, limit=limit, level=level) for counts, gate, unit, limit in rates]
    return pd.concat([_authorised(units, register(book)), *parts])[list(GATE_COLUMNS)].sort_values(["unit_key", "gate"], ignore_index=True)


def standing(gated: pd.DataFrame) -> pd.DataFrame:
    """Each unit's worst gate: unit_key, status, gates (names of those at that status where it is not pass, comma-separated)."""
    table = gated.assign(rank=gated["status"].map(_WORST.index))
    worst = table.groupby("unit_key")["rank"].transform("max")
    named = (
        table[(table["rank"] == worst) & table["status"].isin([WATCH, AUDIT, FAIL, BLOCKED])]
        .groupby("unit_key")["gate"]
        .agg(", ".join)
        .to_dict()
    )
    status = table.groupby("unit_key")["rank"].max().map(lambda rank: _WORST[rank])
    found = pd.DataFrame({"unit_key": status.index, "status": status.to_numpy(), "gates": [named.get(key, "") for key in status.index]})
    return found.astype(object)


def _authorised(units: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    table = units[["unit_key"]].merge(known[["unit_key", "authorisation"]], on="unit_key", how="left", validate="one_to_one")
    fine = table["authorisation"].isin(["valid", "not_needed"])
    blank = {name: np.nan for name in ("numerator", "denominator", "value", "low", "high", "limit")}
    return table.assign(
        gate="authorisation", unit="", status=np.where(fine, PASS, BLOCKED), note=table["authorisation"].map(_NOTES).fillna(""), **blank
    )


def _complaints(book: Book, base: ir.Table, window: ConductWindow) -> pd.DataFrame | None:
    if not book.has("ticket"):
        return None
    ticket = book.table("ticket")
    opened = ticket.filter(ticket.type == "complaint", _within(ticket.opened_ts.date(), window))
    counted = opened.group_by("unit_key").agg(numerator=opened.count())
    held = base.filter(base.from_date <= ibis.literal(window.end), base.to_date.isnull() | (base.to_date > ibis.literal(window.start)))
    accounts = held.group_by("unit_key").agg(denominator=held.account_key.nunique())
    return book.frame(accounts.left_join(counted, "unit_key").drop("unit_key_right")).fillna({"numerator": 0})


def _of(contacts: pd.DataFrame, counted: str) -> pd.DataFrame:
    return contacts[["unit_key", counted, "contacts"]].rename(columns={counted: "numerator", "contacts": "denominator"})


def _critical(book: Book, window: ConductWindow) -> pd.DataFrame | None:
    if not book.has("qa"):
        return None
    assessed = book.table("qa")
    qa = assessed.filter(_within(assessed.assessed_on, window))
    return book.frame(qa.group_by("unit_key").agg(numerator=qa.critical_fail.sum().fill_null(0), denominator=qa.count()))


def _rated(units: pd.DataFrame, counts: pd.DataFrame | None, *, gate: str, unit: str, limit: float, level: float) -> pd.DataFrame:
    table = _joined(units, counts).assign(gate=gate, unit=unit, limit=limit)
    n, d, per = table["numerator"].to_numpy(dtype=float), table["denominator"].to_numpy(dtype=float), _PER[unit]
    if gate == "complaints":
        low, high = stats.chi2.ppf((1 - level) / 2, 2 * n) / 2, stats.chi2.ppf((1 + level) / 2, 2 * n + 2) / 2
        low, high = np.where(n == 0, 0.0, low) / d, high / d
    else:
        low, high = wilson_interval(n, d, level=level)
    table["value"], table["low"], table["high"] = n / d * per, low * per, high * per
    table["status"] = np.select([table["value"].isna(), table["low"] > limit, table["value"] > limit], [NO_DATA, FAIL, WATCH], default=PASS)
    return table.assign(note=np.where(table["status"] == NO_DATA, "nothing recorded for this unit", ""))


def _within(day: ir.DateValue, window: ConductWindow) -> ir.BooleanValue:
    return day.between(ibis.literal(window.start), ibis.literal(window.end))


def _joined(units: pd.DataFrame, counts: pd.DataFrame | None) -> pd.DataFrame:
    given = counts if counts is not None else pd.DataFrame({"unit_key": pd.Series(dtype=object), "numerator": [], "denominator": []})
    table = units[["unit_key"]].merge(given[["unit_key", "numerator", "denominator"]], on="unit_key", how="left", validate="one_to_one")
    table["denominator"] = table["denominator"].where(table["denominator"] > 0)
    table["numerator"] = table["numerator"].where(table["denominator"].notna())
    return table
