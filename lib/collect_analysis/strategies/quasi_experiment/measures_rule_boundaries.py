"""Where the rules of the book switch, read from table `ruleset`: the boundaries of one rule set, and those of all others."""

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd

from collect_analysis.book.store import Book

# Per running variable: the column of the first value inside a rule, that of its last, and whether the last still belongs to it.
_BOUNDS = {
    "balance": ("balance_min_minor", "balance_max_minor", False),
    "score": ("score_min", "score_max", False),
    "dpd": ("dpd_min", "dpd_max", True),
}


def boundaries(book: Book, running: str, *, products: Sequence[str], first: date | None, last: date | None) -> pd.DataFrame:
    """At which values does any rule begin or end to apply to these products in this time?

    Columns: ruleset_id, rule_id, segment, product_code, at (first value from which on it applies, or no longer applies). A rule without
    product is for every product, one without a bound has no boundary there. `products` empty: all. Sorted by at, ruleset_id, rule_id.
    """
    low, high, inclusive = _BOUNDS[running]
    rule = book.table("ruleset")
    if products:
        rule = rule.filter(rule["product_code"].isnull() | rule["product_code"].isin(list(products)))
    if last is not None:
        rule = rule.filter(rule["effective_from"] <= last)
    if first is not None:
        rule = rule.filter(rule["effective_to"].isnull() | (rule["effective_to"] > first))
    table = book.frame(rule.select("ruleset_id", "rule_id", "segment", "product_code", low=rule[low], high=rule[high]))
    keys = ["ruleset_id", "rule_id", "segment", "product_code"]
    starts = table[keys].assign(at=table["low"].astype(float))
    ends = table[keys].assign(at=table["high"].astype(float) + inclusive)
    return pd.concat([starts, ends]).dropna(subset=["at"]).sort_values(["at", "ruleset_id", "rule_id"], ignore_index=True)


def of_other_rules(found: pd.DataFrame, *, ruleset_id: str, segments: Collection[str]) -> pd.DataFrame:
    """The boundaries that are not those of the rule asked about: of other rule sets, or leading to other segments than its two sides."""
    own = (found["ruleset_id"] == ruleset_id) & found["segment"].isin(list(segments))
    return found[~own].reset_index(drop=True)
