"""What was known of each subject before it was assigned, with arm and outcome: the one table of persons that a model needs, without keys.

Models cannot be fitted from sums. So this is the only place that brings subjects into a frame: no key, no name, at most 200,000 of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.book.engine import MAX_RESULT_ROWS
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError, nearest
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import BOOK_MONEY, Cohort, Outcome
from collect_analysis.measures.cohort_events import net_payments

FactorUnit = Literal["minor", "number", "category"]
# Beyond the covariates of a cohort from the book; computed only where a report asks for them.
BOOK_FACTORS = ("months_since_payment", "product_code", "region_code")
DAYS_PER_MONTH = 30
# Hex digits of the hash: the whole orders the subjects, its last digit halves them.
_FIRST_OF_SECOND_HALF = "8"


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What was known of a subject: `column` of the cohort or of the book's history; `measured` before or after assignment, or empty."""

    name: str
    column: str
    measured: str


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Subjects of a test, one entry per subject, in an order that has nothing to do with who they are.

    `x`: a column per factor (numbers with NaN where unknown, categories as text); `units`: factor -> minor, number or category. `y`: the
    outcome; `treated`: in the challenger's arm; `cluster`: who is one customer; `day`: of assignment (NaN: unknown), as days since 1970; `judging`:
    in the half on which what was learned is judged, drawn by a salted hash of the customer. `population`: subjects there are; more than
    `len(y)` where only a sample by the same hash was taken.
    """

    x: pd.DataFrame
    units: dict[str, FactorUnit]
    y: NDArray[np.float64]
    treated: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    day: NDArray[np.float64]
    judging: NDArray[np.bool_]
    population: int

    def of(self, chosen: NDArray[np.bool_]) -> "Subjects":
        """The chosen subjects."""
        arrays = {name: getattr(self, name)[chosen] for name in ("y", "treated", "cluster", "day", "judging")}
        return Subjects(x=self.x[chosen].reset_index(drop=True), units=self.units, population=self.population, **arrays)

    def with_factors(self, names: Sequence[str]) -> "Subjects":
        """The same subjects with these factors only."""
        arrays = {name: getattr(self, name) for name in ("y", "treated", "cluster", "day", "judging")}
        return Subjects(x=self.x[list(names)], units={name: self.units[name] for name in names}, population=self.population, **arrays)


def factors_of(cohort: Cohort, names: Sequence[str]) -> list[Factor]:
    """The declared factors, in the order of `names`: covariates of the cohort and, in a book, what its history tells.

    Raises
    ------
    DataError
        There is none of that name; a sentence for each, with the nearest there is.
    """
    known = {item.name: Factor(name=item.name, column=item.column, measured=item.measured) for item in cohort.covariates}
    if not cohort.supplied:
        known |= {name: Factor(name=name, column=name, measured="before") for name in BOOK_FACTORS if name not in known}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            [
                f"experiment '{cohort.experiment_id}' knows no factor '{name}' of its subjects; {nearest(name, sorted(known))}"
                for name in unknown
            ]
        )
    return [known[name] for name in names]


def subjects(
    book: Book, cohort: Cohort, factors: Sequence[Factor], *, champion: str, challenger: str, outcome: Outcome, seed: int,
    most: int = MAX_RESULT_ROWS,
) -> Subjects:  # fmt: skip
    """The subjects of two arms with their factors and outcome, in one query.

    Order, halves and, where there are more than `most`, the sample come from SHA-256 of "seed:customer": the same on every engine, and a
    customer is never in both halves. Unknown outcomes count as 0 here; `arms.flaws` counts them.
    """
    table = subjects_of(cohort, [champion, challenger])
    population = int(str(book.scalar(table.count())))
    asked = [item.column for item in factors if item.column not in table.columns]
    if asked:
        table = _with_history(book, table, asked)
    digest = (ibis.literal(f"{seed}:") + table["cluster_key"].cast("string")).hexdigest("sha256")
    columns = {f"x{place}": _plain(table[item.column]) for place, item in enumerate(factors)}
    rows = table.select(
        digest=digest,
        place=table["subject_key"],
        y=table[outcome.column].cast("float64").fill_null(0.0),
        treated=table["arm"] == challenger,
        assigned_on=table["assigned_on"],
        **columns,
    )
    frame = book.frame(rows.order_by("digest", "place").limit(most).drop("place"))
    treated = frame["treated"].to_numpy(dtype=bool)
    days = (pd.to_datetime(frame["assigned_on"]) - pd.Timestamp(date(1970, 1, 1))).dt.days.to_numpy()
    x = pd.DataFrame({item.name: frame[f"x{place}"] for place, item in enumerate(factors)}, index=frame.index)
    return Subjects(
        x=x,
        units={item.name: _unit(item, x[item.name]) for item in factors},
        y=frame["y"].to_numpy(dtype=float),
        treated=treated,
        cluster=pd.factorize(frame["digest"])[0].astype(np.int64),
        day=days.astype(np.float64),
        judging=(frame["digest"].str[-1] >= _FIRST_OF_SECOND_HALF).to_numpy(dtype=bool),
        population=population,
    )


def _plain(column: ir.Column) -> ir.Value:
    """Numbers and flags as numbers, everything else as text."""
    kind = column.type()
    return column.cast("float64") if kind.is_numeric() or kind.is_boolean() else column.cast("string")


def _unit(factor: Factor, column: pd.Series) -> FactorUnit:
    if not pd.api.types.is_numeric_dtype(column):
        return "category"
    return "minor" if factor.name in BOOK_MONEY or factor.column.endswith("_minor") else "number"


def _with_history(book: Book, table: ir.Table, asked: Sequence[str]) -> ir.Table:
    """The subjects with what the book tells of them before assignment: months_since_payment (empty: never paid), product_code, region_code.

    A payment counts if it was known before the day of assignment and had not been taken back by then; a month is 30 days.
    """
    payments = net_payments(book)
    joined = table.select("subject_key", "assigned_on").join(payments, table["subject_key"] == payments["account_key"])
    earlier = joined.filter(joined["paid_on"] < joined["assigned_on"], joined["known_on"] < joined["assigned_on"])
    by_day = earlier.group_by(["subject_key", "assigned_on", "paid_on"]).aggregate(net=earlier["amount_minor"].sum())
    stayed = by_day.filter(by_day["net"] > 0)
    last = stayed.group_by(["subject_key", "assigned_on"]).aggregate(last=stayed["paid_on"].max())
    months = last.select(
        paid_key=last["subject_key"], months_since_payment=(last["assigned_on"].delta(last["last"], unit="day") // DAYS_PER_MONTH)
    )
    account = book.table("account").select("account_key", "product_code", "region_code")
    whole = table.left_join(months, table["subject_key"] == months["paid_key"])
    whole = whole.left_join(account, whole["subject_key"] == account["account_key"])
    return whole.select(*table.columns, *asked)
