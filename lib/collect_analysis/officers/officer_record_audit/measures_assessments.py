"""Quality assessments of contacts: what two assessors said of the same one, and how strict assessors are."""

import ibis
import numpy as np
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import UNASSIGNED, count_of, within

# Scores are compared in bands: what an assessor means by 0.86 and 0.87 is the same.
BANDS = (0.0, 0.6, 0.7, 0.8, 0.9)


def assessed(book: Book, period: Period) -> dict[str, int]:
    """How much was assessed? contacts, assessments, assessors, rated_twice (contacts), failed (assessments with a critical failure)."""
    if not book.has("qa"):
        return {"contacts": 0, "assessments": 0, "assessors": 0, "rated_twice": 0, "failed": 0}
    qa = book.table("qa")
    qa = qa.filter(within(qa.assessed_on, period.start, period.end))
    of_contact = qa.group_by("event_key").agg(raters=qa.assessor_key.nunique())
    sums = book.frame(
        qa.agg(assessments=qa.count(), assessors=qa.assessor_key.nunique(), failed=count_of(qa.critical_fail))
    ).iloc[0]  # fmt: skip
    counts = book.frame(of_contact.agg(contacts=of_contact.count(), rated_twice=count_of(of_contact.raters > 1))).iloc[0]
    return {
        name: int(source[name])
        for source, names in ((sums, ("assessments", "assessors", "failed")), (counts, ("contacts", "rated_twice")))
        for name in names
    }


def patterns(book: Book, period: Period) -> pd.DataFrame:
    """What did the assessors of contacts rated at least twice say?

    Columns: passed, failed (assessors who found no critical failure, one), one column band_<from> per band of the score (assessors), cases
    (contacts with this pattern). Sorted. Without a contact rated twice: empty.
    """
    names = ["passed", "failed", *(f"band_{round(edge * 100):02d}" for edge in BANDS)]
    if not book.has("qa"):
        return pd.DataFrame(columns=[*names, "cases"])
    qa = book.table("qa")
    qa = qa.filter(within(qa.assessed_on, period.start, period.end))
    tops = [*BANDS[1:], float("inf")]
    bands = {
        f"band_{round(edge * 100):02d}": count_of((qa.score >= edge) & (qa.score < top) if np.isfinite(top) else qa.score >= edge)
        for edge, top in zip(BANDS, tops, strict=True)
    }
    of_contact = qa.group_by("event_key").agg(
        raters=qa.assessor_key.nunique(), passed=count_of(~qa.critical_fail), failed=count_of(qa.critical_fail), **bands
    )
    twice = of_contact.filter(of_contact.raters > 1)
    return book.frame(twice.group_by(*names).agg(cases=twice.count())).sort_values(names, ignore_index=True)


def strictness(book: Book, period: Period) -> pd.DataFrame:
    """How do assessors score the contacts of one unit? One row per unit and assessor, told as number `assessor` within the table, never by name.

    Columns: unit_key, assessor (1, 2, ...), n, total (sum of scores), squares. Sorted.
    """
    columns = ["unit_key", "assessor", "n", "total", "squares"]
    if not book.has("qa"):
        return pd.DataFrame(columns=columns)
    qa = book.table("qa")
    qa = qa.filter(within(qa.assessed_on, period.start, period.end), qa.score.notnull())
    sums = qa.group_by(unit_key=ibis.coalesce(qa.unit_key, UNASSIGNED), who=qa.assessor_key).agg(
        n=qa.count(), total=compensated_sum(qa.score.cast("float64")), squares=sum_of_products(qa.score, qa.score)
    )
    frame = book.frame(sums).sort_values(["unit_key", "who"], ignore_index=True)
    order = {key: place for place, key in enumerate(sorted(frame["who"].unique()), 1)}
    return frame.assign(assessor=frame["who"].map(order))[columns]
