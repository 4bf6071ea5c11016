"""Expected recovery: what the accounts of a month should bring, given what was known of them when it opened (R4), and what they brought (R5).

The expectation of an account is a rate of its cell times its opening balance; payers are expected by the payer rate of the cell. A cell is
one combination of the factors in the reference months, without the accounts of the unit that is judged. Where a cell holds fewer than
`cell_rates.LEAST_ACCOUNTS` account-months the last factor is dropped, and so on down to the first alone (the ladder). A unit that holds nearly
all of a cell (the only team for a bucket) is compared with all, itself included. Amounts of officers are capped.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.account_factors import DEFAULT_FACTORS, known_factors
from collect_analysis.measures.account_months import Window, account_months, whole, window_of
from collect_analysis.measures.cell_rates import cell_rates, cell_sums
from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.methods.profiling.profiling import counted
from collect_analysis.methods.rates.levels import CONFIDENCE

__all__ = ["DEFAULT_FACTORS", "calibration_table", "expected_by_account_cell", "expected_of_stock", "ladder_table", "observed_expected"]

# Each outcome: what came in, what was expected, and the variance around it.
OUTCOMES = {
    "payers": ("payers", "expected_payers", "variance_payers"),
    "cash": ("cash_minor", "expected_cash_minor", "variance_cash_minor"),
    "capped": ("capped_minor", "expected_minor", "variance_minor"),
}
KEYS = ("month", "unit_key", "officer_key", "sub_function")
COLUMNS = (
    *KEYS, "accounts", "opening_minor", "payers", "expected_payers", "variance_payers", "cash_minor", "expected_cash_minor",
    "variance_cash_minor", "capped_minor", "expected_minor", "variance_minor", "tenure_months",
)  # fmt: skip
FORECAST_COLUMNS = (
    "accounts",
    "opening_minor",
    "expected_payers",
    "variance_payers",
    "expected_cash_minor",
    "variance_cash_minor",
    "expected_minor",
    "variance_minor",
)


def observed_expected(
    book: Book,
    first_month: date,
    last_month: date,
    *,
    factors: Sequence[str] = DEFAULT_FACTORS,
    reference_months: int = 12,
    cap_quantile: float = 0.995,
    calibrate: bool = True,
    calibrate_within: Sequence[str] = (),
    leave_out: bool = True,
) -> pd.DataFrame:
    """What did each unit and officer collect in each month, and what was to be expected of the accounts they held?

    Formula: E = sum over accounts of balance x (cash of the cell / balance of the cell); variance of an account = balance² x (sum of squared
    cash / sum of squared balances of the cell) - E², times the ratio by which squared misses of debtors exceed their model in all months
    together (debts of one debtor go together, cells are coarse).

    Parameters
    ----------
    book
        Needs tables month_end, account, payment; unit for the sub-function; officer for tenure.
    first_month, last_month
        First days of the first and the last month.
    factors
        What accounts are compared by, most important first (`account_factors.FACTORS`); the last is dropped first where cells are small.
        To judge those who worked the accounts leave out what their own earlier work moves: an officer who made many pay last month holds many
        recent payers, and `recency` would take part of that success away.
    reference_months
        Months before `first_month` from which rates are read; where the book starts later, its first ones (`account_months.window_of`).
    cap_quantile
        Cash of one account in one month counts up to this quantile of what payers paid in a reference month in `capped_minor` and
        `expected_minor`; `cash_minor` and `expected_cash_minor` are without cap: the former pair is for officers, the latter for units.
    calibrate
        True scales payers, cash and capped cash of each month so that expected sums equal observed sums over the company: the season and
        whatever moves all accounts alike drops out. False leaves the rates of the reference months as they are: a forecast.
    calibrate_within
        Columns of the result within which the sums of a month are made equal as well (`sub_function`: one stands for what colleagues of the
        same sub-function got out of comparable accounts).
    leave_out
        Whether the unit's own accounts are left out of the rates it is compared with.

    Returns
    -------
    One row per month (first day), unit_key, officer_key, sub_function (`unassigned` where nobody is named), sorted: accounts, opening_minor,
    payers, expected_payers, variance_payers, cash_minor, expected_cash_minor, variance_cash_minor, capped_minor, expected_minor,
    variance_minor, tenure_months (months since the month of hire; NaN: unknown). Variances are of the outcome around its expectation,
    summed over debtors. Money in minor units. Cash of accounts that nobody held is not here. Expected is 0 where a cell owed nothing.

    Raises
    ------
    ParameterError, DataError
        See `known_factors` and `window_of`.

    Source: indirect standardisation; domain rules of mix-adjusted collection indices.
    """
    window = window_of(book, first_month, last_month, reference_months=reference_months)
    with _judged(book, window, factors, cap_quantile=cap_quantile, leave_out=leave_out) as judged:
        sums = book.frame(_by_officer(judged.asked))
    scaled = _scaled_sums(sums, calibrate=calibrate, within=calibrate_within)
    table = _with_variance(scaled, spread=_spread(scaled))
    table["tenure_months"] = _hired(book, table)
    return table[list(COLUMNS)].sort_values(list(KEYS), ignore_index=True)


def expected_by_account_cell(
    book: Book,
    month: date,
    *,
    by: Sequence[str] = ("unit_key", "officer_key", "sub_function"),
    ahead: int = 1,
    factors: Sequence[str] = DEFAULT_FACTORS,
    reference_months: int = 12,
    cap_quantile: float = 0.995,
    leave_out: bool = False,
) -> pd.DataFrame:
    """What should the accounts that are open when `month` opens bring in it, or in a later month?

    Pure forecast with the rates of the last `reference_months` months that were over: no season, no inflow of accounts that enter later, no
    uncertainty that all accounts share (read that from the monthly ratios of `observed_expected(..., calibrate=False)`).

    Parameters
    ----------
    month
        First day of the month; the book must hold the month end before it.
    by
        Columns the forecast is told by: scopes (unit_key, officer_key, sub_function, portfolio_code) or factors.
    ahead
        1: cash of `month` itself; 2: of the month after, from the same accounts; and so on.
    factors, reference_months, cap_quantile, leave_out
        As in `observed_expected`.

    Returns
    -------
    One row per combination of `by`, sorted: accounts, opening_minor, expected_payers, variance_payers, expected_cash_minor,
    variance_cash_minor, expected_minor (capped), variance_minor (capped).

    Raises
    ------
    ParameterError, DataError
        Unknown factors; no reference months; no month end before `month`.
    """
    names = known_factors(factors)
    window = _future_window(book, month, ahead=ahead, reference_months=reference_months)
    with _judged(book, window, names, cap_quantile=cap_quantile, leave_out=leave_out, ahead=ahead) as judged:
        forecast = book.frame(_aggregated(judged.asked, by))
        misses = book.frame(_by_officer(judged.reference))
    if forecast.empty:
        raise DataError(f"the book has no account open at the month end before {month:%Y-%m}; load month ends up to it")
    found = _with_variance(forecast, spread=_spread(_scaled_sums(misses, calibrate=True)))
    return found[[*by, *FORECAST_COLUMNS]].sort_values(list(by), ignore_index=True)


def expected_of_stock(book: Book, month: date, *, portfolios: Sequence[str] = (), reference_months: int = 12) -> pd.DataFrame:
    """What should the accounts that are open when `month` opens bring in it: the one figure (R4) that every page tells of them?

    `expected_by_account_cell` for the whole company (or `portfolios` of it), one row: scope_type, scope_key, month (first day), accounts,
    opening_minor, value (expected cash, minor units), note. Undefined (NaN, the reason in note): no month end before, no reference months.
    """
    row: dict[str, object] = {"scope_type": "company" if not portfolios else "portfolio", "scope_key": ", ".join(portfolios) or "all"}
    try:
        told = expected_by_account_cell(book, month, by=("portfolio_code",), reference_months=reference_months)
    except DataError as error:
        nothing = {"accounts": 0, "opening_minor": 0, "value": np.nan, "note": str(error)}
        return pd.DataFrame([{**row, "month": month.isoformat(), **nothing}])
    own = told[told["portfolio_code"].isin(list(portfolios))] if portfolios else told
    sums = own[["accounts", "opening_minor", "expected_cash_minor"]].sum()
    found = {"accounts": int(sums["accounts"]), "opening_minor": int(sums["opening_minor"]), "value": float(sums["expected_cash_minor"])}
    return pd.DataFrame([{**row, "month": month.isoformat(), **found, "note": ""}])


def calibration_table(
    book: Book,
    first_month: date,
    last_month: date,
    *,
    factors: Sequence[str] = DEFAULT_FACTORS,
    reference_months: int = 12,
    cap_quantile: float = 0.995,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """Does the expectation fit every kind of account, or does it favour those who hold the easy ones?

    Observed over expected per level of every factor, months scaled to the company's total. Columns: factor, level, accounts, payers,
    expected_payers, payer_ratio, capped_minor, expected_minor, value (O/E of capped cash), low, high, note. Sorted by factor as named, level.
    Undefined (NaN and note): nothing expected. The interval takes the expectation as known.

    Raises
    ------
    ParameterError, DataError
        See `observed_expected`.
    """
    window = window_of(book, first_month, last_month, reference_months=reference_months)
    with _judged(book, window, factors, cap_quantile=cap_quantile, leave_out=False) as judged:
        parts = [
            book.frame(_aggregated(judged.asked, ("month", name))).rename(columns={name: "level"}).assign(factor=name) for name in factors
        ]
    scaled = pd.concat([_with_variance(_scaled_sums(part, calibrate=True)) for part in parts], ignore_index=True)
    place = {name: position for position, name in enumerate(factors)}
    total = scaled.groupby(["factor", "level"], as_index=False).agg(**{name: (name, "sum") for name in _CALIBRATED})
    total["value"] = total["capped_minor"] / total["expected_minor"].where(total["expected_minor"] > 0)
    total["payer_ratio"] = total["payers"] / total["expected_payers"].where(total["expected_payers"] > 0)
    sums = {"observed": "capped_minor", "expected": "expected_minor", "var_observed": "variance_minor"}
    bounds = counted(
        pd.DataFrame({name: total[column].astype(float) for name, column in sums.items()}).assign(var_expected=0.0), level=level
    )
    total["low"], total["high"] = bounds["low"], bounds["high"]
    total["note"] = np.where(total["value"].isna(), "nothing was expected", "")
    columns = ["factor", "level", "accounts", "payers", "expected_payers", "payer_ratio", "capped_minor", "expected_minor", "value"]
    ordered = total.assign(place=total["factor"].map(place)).sort_values(["place", "level"], ignore_index=True)
    return ordered[[*columns, "low", "high", "note"]]


def ladder_table(
    book: Book,
    first_month: date,
    last_month: date,
    *,
    factors: Sequence[str] = DEFAULT_FACTORS,
    reference_months: int = 12,
    cap_quantile: float = 0.995,
    leave_out: bool = True,
) -> pd.DataFrame:
    """How finely were accounts compared, and how many without peers of another unit?

    Columns: factors_used (how many of the factors, from the first), peers (others: other units alone; all: with the unit itself), accounts,
    expected_minor, share (of expected). Sorted by factors_used, finest first.
    """
    window = window_of(book, first_month, last_month, reference_months=reference_months)
    with _judged(book, window, factors, cap_quantile=cap_quantile, leave_out=leave_out) as judged:
        rows = judged.asked
        table = rows.group_by("depth", "others").agg(accounts=rows.count(), expected_minor=compensated_sum(rows.e_capped))
        found = book.frame(table)
    found["peers"] = np.where(found["others"] == 1, "others", "all")
    found["share"] = found["expected_minor"] / found["expected_minor"].sum()
    found = found.rename(columns={"depth": "factors_used"}).sort_values(
        ["factors_used", "peers"], ascending=[False, True], ignore_index=True
    )
    return found[["factors_used", "peers", "accounts", "expected_minor", "share"]]


_CALIBRATED = ("accounts", "payers", "expected_payers", "capped_minor", "expected_minor", "variance_minor")


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """Account-months with what was expected of each, of the months asked for and of the reference months."""

    asked: ir.Table
    reference: ir.Table


@contextmanager
def _judged(
    book: Book, window: Window, factors: Sequence[str], *, cap_quantile: float, leave_out: bool, ahead: int = 1
) -> Iterator[_Judged]:
    names = known_factors(factors)
    with account_months(book, window, factors=names, cap_quantile=cap_quantile, ahead=ahead) as (rows, _):
        reference = rows.filter(rows.reference)
        with (
            book.materialized(cell_sums(reference, names)) as sums,
            book.materialized(cell_rates(sums, rows, names, leave_out=leave_out)) as rates,
        ):
            yield _Judged(asked=_expected(rows.filter(rows.asked), rates, names), reference=_expected(reference, rates, names))


def _expected(rows: ir.Table, rates: ir.Table, factors: Sequence[str]) -> ir.Table:
    """Account-months with what was expected of each outcome (e_payers, e_cash, e_capped) and of its square (s_payers, s_cash, s_capped)."""
    keyed = rates.rename({f"of_{name}": name for name in ("unit_key", *factors)})
    joined = rows.inner_join(keyed, [rows[name] == keyed[f"of_{name}"] for name in ("unit_key", *factors)])
    owed = joined.opening_minor.cast("float64")
    return joined.select(
        *rows.columns, "depth", "others",
        e_payers=joined.p, e_cash=owed * joined.r, e_capped=owed * joined.rc,
        s_payers=joined.p, s_cash=owed * owed * joined.q, s_capped=owed * owed * joined.qc,
    )  # fmt: skip


def _aggregated(rows: ir.Table, by: Sequence[str]) -> ir.Table:
    """Sums over accounts by the columns of `by`: observed and expected, and what the variance is made of."""
    sums = {expected: compensated_sum(rows[f"e_{name}"]) for name, (_, expected, _) in OUTCOMES.items()}
    squares = {f"s_{name}": compensated_sum(rows[f"s_{name}"]) for name in OUTCOMES}
    means = {f"ee_{name}": sum_of_products(rows[f"e_{name}"], rows[f"e_{name}"]) for name in OUTCOMES}
    return rows.group_by(*by).agg(
        accounts=rows.count(),
        opening_minor=rows.opening_minor.sum().cast("int64"),
        payers=rows.payer.sum().cast("int64"),
        cash_minor=rows.cash_minor.sum().cast("int64"),
        capped_minor=rows.capped_minor.sum().cast("int64"),
        **sums,
        **squares,
        **means,
    )


def _by_officer(rows: ir.Table) -> ir.Table:
    """Sums over accounts by month, unit and officer, with the sums over debtors that say how far each outcome missed what was expected."""
    observed = {"payers": rows.payer, "cash": rows.cash_minor, "capped": rows.capped_minor}
    debtor = rows.group_by(*KEYS, "cluster_key").agg(
        **{f"o_{name}": column.sum().cast("float64") for name, column in observed.items()},
        **{f"e_{name}": compensated_sum(rows[f"e_{name}"]) for name in OUTCOMES},
    )
    misses: dict[str, ir.NumericScalar] = {}
    for name in OUTCOMES:
        got, hoped = debtor[f"o_{name}"], debtor[f"e_{name}"]
        misses[f"oo_{name}"], misses[f"oe_{name}"] = sum_of_products(got, got), sum_of_products(got, hoped)
        misses[f"dd_{name}"] = sum_of_products(hoped, hoped)
    return _aggregated(rows, KEYS).inner_join(debtor.group_by(*KEYS).agg(**misses), list(KEYS))


def _scaled_sums(sums: pd.DataFrame, *, calibrate: bool, within: Sequence[str] = ()) -> pd.DataFrame:
    """The sums with what was expected scaled, month by month, to what the company got; unscaled where nothing was expected."""
    table = sums.copy()
    if not calibrate:
        return table
    months = table.groupby(["month", *within])[[column for got, expected, _ in OUTCOMES.values() for column in (got, expected)]]
    totals = months.transform("sum").astype(float)
    for name, (got, expected, _) in OUTCOMES.items():
        factor = (totals[got] / totals[expected].where(totals[expected] > 0)).fillna(1.0)
        powers = {expected: 1, f"s_{name}": 1, f"ee_{name}": 2, f"oe_{name}": 1, f"dd_{name}": 2}
        for column in [column for column in powers if column in table.columns]:
            table[column] = table[column].astype(float) * factor ** powers[column]
    return table


def _with_variance(sums: pd.DataFrame, *, spread: Mapping[str, float] | None = None) -> pd.DataFrame:
    times = spread or dict.fromkeys(OUTCOMES, 1.0)
    model = {
        column: (sums[f"s_{name}"] - sums[f"ee_{name}"]).astype(float).clip(lower=0) * times[name]
        for name, (_, _, column) in OUTCOMES.items()
    }
    return sums.assign(**model)


def _spread(sums: pd.DataFrame) -> dict[str, float]:
    """By how much the squared misses of debtors exceed their model, for each outcome; 1 where the model has none."""
    plain = _with_variance(sums)
    model = {name: float(plain[column].sum()) for name, (_, _, column) in OUTCOMES.items()}
    misses = {name: float((sums[f"oo_{name}"] - 2 * sums[f"oe_{name}"] + sums[f"dd_{name}"]).sum()) for name in OUTCOMES}
    return {name: misses[name] / model[name] if model[name] > 0 else 1.0 for name in OUTCOMES}


def _hired(book: Book, table: pd.DataFrame) -> pd.Series:
    """Whole months from the month of hire to each row's month; NaN where the month of hire is unknown."""
    officer = book.table("officer")
    hired = book.frame(officer.group_by("officer_key").agg(hired=officer.hire_month.min()))
    day = pd.to_datetime(table["officer_key"].map(dict(zip(hired["officer_key"], pd.to_datetime(hired["hired"]), strict=True))))
    month = pd.to_datetime(table["month"])
    return (month.dt.year - day.dt.year) * 12 + (month.dt.month - day.dt.month).astype(float)


def _future_window(book: Book, month: date, *, ahead: int, reference_months: int) -> Window:
    """The months over on `as_of` whose outcome `ahead` months later is known, as reference for a month that opens now."""
    known = window_of(book, *[_last_over(book)] * 2, reference_months=1)
    last = month_start(known.last, 1 - ahead)
    first = max(known.earliest, month_start(last, 1 - reference_months))
    if last < known.earliest:
        raise DataError(
            f"the book has whole months from {known.earliest:%Y-%m} to {known.last:%Y-%m}: none shows what comes {ahead} months after an "
            "opening; ask for a nearer month"
        )
    return whole(book, Window(first=month, last=month, reference_first=first, reference_last=last, earliest=known.earliest))


def _last_over(book: Book) -> date:
    return month_start(book.as_of, 0 if book.as_of == month_end(book.as_of) else -1)
