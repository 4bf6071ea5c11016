"""Quality checks of contacts, with their sampling weights (Q5)."""

import ibis
import ibis.expr.types as ir

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import UNASSIGNED, Directory, within

PARTS = 1000


def quality_facts(book: Book, directory: Directory, period: Period) -> ir.Table:
    """Which contacts assessed in the period failed a critical item, and how many do they stand for?

    One row per contact, by its first assessment (of several on one day, the one with the smallest key): a second assessor adds no contact.
    Columns: cluster_key (the officer), officer_cluster_key (the contact, for results of one officer), sub_function, unit_key, officer_key,
    sampled, failed (thousandths of the contacts it stands for; sampled_weight, 1 where unknown).
    """
    qa = book.table("qa")
    inside = qa.filter(within(qa.assessed_on, period.start, period.end))
    first = ibis.row_number().over(group_by=inside.event_key, order_by=[inside.assessed_on, inside.qa_key])
    once = inside.mutate(place=first).filter(lambda rows: rows.place == 0)
    weight = (once.sampled_weight.fill_null(1.0) * PARTS).round().cast("int64")
    units = directory.units.select(of_unit="unit_key", in_sub_function="sub_function")
    rows = once.mutate(sampled=weight, failed=ibis.ifelse(once.critical_fail, weight, 0))
    joined = rows.left_join(units, [rows.unit_key == units.of_unit])
    return joined.select(
        cluster_key=ibis.coalesce(joined.officer_key, joined.event_key),
        officer_cluster_key=joined.event_key,
        sub_function=ibis.coalesce(joined.in_sub_function, UNASSIGNED),
        unit_key=ibis.coalesce(joined.unit_key, UNASSIGNED),
        officer_key=ibis.coalesce(joined.officer_key, UNASSIGNED),
        sampled=joined.sampled,
        failed=joined.failed,
    )
