"""What will have to be placed next: the recent flow of accounts by placement stratum, what an account of it brings, who holds how many."""

import ibis
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.placements import Panel, months_between, of_panel, open_debts

FLOW_COLUMNS = ("group", "placement_no", "unit_key", "cases", "balance_minor", "per_month")
WORTH_COLUMNS = ("group", "accounts", "cash_minor", "value", "low", "high", "scatter", "note")
ALL, UNNAMED = "all", "?"
FEW_CUSTOMERS = "fewer than two customers: no interval"


def recent_flow(book: Book, panel: Panel, *, months: int) -> pd.DataFrame:
    """What was placed in the last `months` months of the panel, by placement stratum, number of the placement and unit?

    Columns: group (placement stratum; `all` where none is named), placement_no (0: not numbered), unit_key, cases (accounts), balance_minor,
    per_month (cases / months); sorted. Empty where nothing was placed.
    """
    base = of_panel(book, panel)
    recent = base.filter(months_between(ibis.literal(panel.end), base.batch_month) < months)
    # The stratum of a comparison is what was placed together: the placement stratum, its number, its month.
    named = recent.stratum.re_replace(r" \| [0-9]+ \| [0-9]{4}-[0-9]{2}$", "")
    rows = recent.mutate(group=(named == UNNAMED).ifelse(ALL, named), placement_no=recent.placement_no.fill_null(0).cast("int64"))
    sums = rows.group_by("group", "placement_no", "unit_key").agg(cases=rows.count(), balance_minor=rows.balance_minor.sum().cast("int64"))
    frame = book.frame(sums).assign(per_month=lambda table: table["cases"] / months)
    return frame.sort_values(["group", "placement_no", "unit_key"], ignore_index=True)[list(FLOW_COLUMNS)]


def held_now(book: Book) -> pd.Series:
    """How many open accounts does each unit hold on `as_of`, by unit_key?

    Placements that run, whenever they were made, whose debt is open (`placements.open_debts`): on a month end the accounts that
    `target_inputs` and the KPIs of that day's stock count for the unit.
    """
    made = book.table("decision")
    made = made.filter(made.kind == "placement", made.unit_key.notnull(), made.from_date <= ibis.literal(book.as_of))
    running = open_debts(book, made.filter(made.to_date.isnull() | (made.to_date > ibis.literal(book.as_of))))
    counts = running.group_by("unit_key").agg(cases=running.account_key.nunique())
    return book.frame(counts).set_index("unit_key")["cases"].sort_index()


def worth_of_account(sums: pd.DataFrame) -> pd.DataFrame:
    """What did an account of each placement stratum bring by the age compared at, whoever had it?

    `sums`: of `placements.stratum_sums`. value = cash / accounts in minor units over all units and months of the stratum; low, high: 95 %
    interval from the scatter of customers' cash, 1.96 · sqrt(n · variance) / accounts, at least 0. Columns: group, accounts, cash_minor,
    value, low, high, note; sorted, last `all`: over everything, which accounts without a stratum take too. A stratum that never reached
    the age has no row. scatter: variance of one account's cash, n · variance / accounts. Undefined (NaN and note): the interval of fewer
    than two customers. Empty where `sums` is.
    """
    if sums.empty:
        return pd.DataFrame(columns=list(WORTH_COLUMNS))
    last = sums[sums["age_months"] == sums["age_months"].max()]
    rows = last.assign(group=last["stratum"].str.rsplit(" | ", n=2).str[0])
    return pd.concat([_worth(rows[~rows["group"].isin([UNNAMED, ALL])]), _worth(rows.assign(group=ALL))], ignore_index=True)


def _worth(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.groupby("group", as_index=False)[["n", "accounts", "sum_y", "sum_yy"]].sum()
    table["value"] = table["sum_y"] / table["accounts"]
    # Customers' sums scatter; what a customer brings over its accounts is what an account brings.
    variance = (table["sum_yy"] - table["sum_y"] ** 2 / table["n"]).clip(lower=0) / (table["n"] - 1).where(table["n"] > 1)
    spread = 1.959964 * (variance * table["n"]) ** 0.5 / table["accounts"]
    table["low"], table["high"] = (table["value"] - spread).clip(lower=0), table["value"] + spread
    table["scatter"] = variance * table["n"] / table["accounts"]
    table = table.rename(columns={"sum_y": "cash_minor"})
    table["note"] = np.where(table["n"] > 1, "", FEW_CUSTOMERS)
    return table.sort_values("group", ignore_index=True)[list(WORTH_COLUMNS)]


def credible(worth: pd.DataFrame) -> pd.DataFrame:
    """The worth of strata drawn to the common mean as far as their own accounts do not carry it: a stratum that paid nothing yet is not worth 0.

    Bühlmann-Straub: s² = Σ n·scatter / Σ n; between a = max(0, (Σ n(x - m)² - (k-1)s²) / (N - Σn²/N)); value = Z·x + (1 - Z)·m with
    Z = n / (n + s²/a), all to m where strata do not differ beyond chance. Takes and returns the table of `worth_of_account` (its row `all` and
    the intervals stay as they are), with raw (the mean itself). Source: Bühlmann and Straub (1970); Klugman et al., Loss Models, 18.7.
    """
    table = worth.assign(raw=worth["value"])
    own = table["group"] != ALL
    n, x = table.loc[own, "accounts"].astype(float), table.loc[own, "value"].astype(float)
    if len(n) < 2:
        return table
    total, mean = float(n.sum()), float((n * x).sum() / n.sum())
    within = float((n * table.loc[own, "scatter"].fillna(0)).sum() / total)
    between = max(0.0, (float((n * (x - mean) ** 2).sum()) - (len(n) - 1) * within) / (total - float((n**2).sum()) / total))
    weight = n / (n + within / between) if between > 0 else n * 0
    table.loc[own, "value"] = weight * x + (1 - weight) * mean
    return table
