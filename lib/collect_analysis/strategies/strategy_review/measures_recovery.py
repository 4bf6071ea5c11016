"""Cash by day since assignment, per arm of a cohort."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import MOST_OPEN, open_horizons, subjects_of
from collect_analysis.measures.cohort import Cohort
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import ratio_interval

COLUMNS = ["arm", "day", "cases", "numerator", "value", "low", "high"]


def cumulative_recovery(book: Book, cohort: Cohort, arms: Sequence[str], *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How much had each arm paid per subject by each day after assignment?

    Formula: running sum of net cash / subjects of the arm, whether they paid or not; interval by the delta method over clusters. Squares of
    the running sums per cluster grow only on days with cash: C² - C'² = a·(2C' + a) for a payment a on top of C'.
    Columns: arm (in the order of `arms`), day (0 is the day of assignment), cases, numerator (collected so far, minor units), value (per
    subject), low, high; up to the longest horizon that is over for at least 95 % of the subjects. Empty where the source has no daily
    payments or none at all, or no horizon is over.
    """
    over = [days for days, late in open_horizons(book, cohort, arms).items() if late <= MOST_OPEN]
    if cohort.payments is None or not over or cohort.lacking(book, "payment"):
        return pd.DataFrame(columns=COLUMNS)
    subjects = subjects_of(cohort, arms)
    size = subjects.group_by(["arm", "cluster_key"]).aggregate(n=subjects.count())
    n = size["n"]
    totals = book.frame(size.group_by("arm").aggregate(clusters=size.count(), cases=n.sum(), sum_nn=sum_of_products(n, n)))
    steps = book.frame(_daily_steps(cohort.payments, size))
    days = range(max(over) + 1)
    curves = []
    for total in (row for arm in arms for row in totals[totals["arm"] == arm].to_dict("records")):
        own = steps[steps["arm"] == total["arm"]].set_index("day")[["y", "yy", "yn"]].astype(float)
        sums = own.reindex(days, fill_value=0.0).cumsum()
        n, nn = total["cases"], total["sum_nn"]
        low, high = ratio_interval(
            count=total["clusters"], sum_y=sums["y"], sum_x=n, sum_yy=sums["yy"], sum_xx=nn, sum_xy=sums["yn"], level=level
        )
        value = sums["y"] / n
        part = {"arm": total["arm"], "day": list(days), "cases": n, "numerator": sums["y"], "value": value}
        curves.append(pd.DataFrame({**part, "low": low, "high": high}))
    return pd.concat(curves, ignore_index=True)[COLUMNS]


def _daily_steps(payments: ir.Table, size: ir.Table) -> ir.Table:
    """By how much the sums over clusters of C, C² and C·n grow on each day; C is a cluster's cash so far, n its subjects."""
    joined = payments.join(size, ["arm", "cluster_key"])
    before = ibis.window(group_by=["arm", "cluster_key"], order_by="day", preceding=(None, 1), following=None)
    paid = joined.mutate(so_far=joined["amount_minor"].sum().over(before).fill_null(0).cast("int64"))
    amount = paid["amount_minor"]
    return paid.group_by(["arm", "day"]).aggregate(
        y=amount.sum().cast("int64"),
        yy=sum_of_products(amount, 2 * paid["so_far"] + amount),
        yn=sum_of_products(amount, paid["n"]),
    )
