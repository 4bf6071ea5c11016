"""Were the placements that were drawn by lot alike between agencies before anybody worked them?"""

from collections.abc import Sequence

import ibis

from collect_analysis.book.store import Book
from collect_analysis.measures.balance import DAY, Balance, balance
from collect_analysis.measures.cohort import BOOK_COVARIATES, Cohort, Covariate
from collect_analysis.measures.cohort_events import paid_before, standing_before
from collect_analysis.measures.placements import RANDOM, Panel, of_panel


def drawn_balance(book: Book, panel: Panel) -> Balance | None:
    """Within each draw (placement stratum, placement number, month), did the agencies get accounts that were alike?

    The first drawn placement of every account in the panel, compared in balance, bucket, score and what was paid before, product, portfolio and
    region, customer by customer (`balance.balance`). The day is left out: agencies get their lists on days of their own. None where fewer
    than two agencies have draws.
    """
    drawn = of_panel(book, panel).filter(ibis._.allocation == RANDOM)
    order = ibis.window(group_by="account_key", order_by=["from_date", "decision_key"])
    first = drawn.mutate(place=ibis.row_number().over(order)).filter(ibis._.place == 0)
    assigned = first.select(
        subject_key="account_key",
        cluster_key=first.customer_key.fill_null(first.account_key),
        arm="unit_key",
        assigned_on="from_date",
        stratum="stratum",
        decided_balance_minor="balance_minor",
    ).cache()
    units = _names(book, assigned, "arm")
    if len(units) < 2:
        return None
    table = assigned
    for part, missing in ((paid_before(book, assigned), 0), (standing_before(book, assigned), None)):
        joined = table.left_join(part, "subject_key")
        own = [
            part[name] if missing is None else part[name].fill_null(missing).name(name) for name in part.columns if name != "subject_key"
        ]
        table = joined.select(*(table[name] for name in table.columns), *own)
    cohort = Cohort(
        experiment_id="placement",
        supplied=False,
        as_of=book.as_of,
        table=table.cache(),
        outcomes=(),
        covariates=tuple(Covariate(name=name, column=name, measured="before") for name in BOOK_COVARIATES),
        doses=(),
        planned={},
    )
    return balance(book, cohort, units, strata=_names(book, assigned, "stratum"), leave_out=(DAY,))


def _names(book: Book, table: ibis.expr.types.Table, column: str) -> Sequence[str]:
    return sorted(str(name) for name in book.frame(table.select(column).distinct())[column].dropna())
