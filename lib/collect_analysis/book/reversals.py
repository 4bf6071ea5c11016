"""What a reversal takes back, checked on import: a posting that is there, of the same account, before it, and no more than it left.

A reversal names the posting it takes back (`reversal_of`), which may be a reversal itself: a cheque bounces, is paid after all, bounces again.
Followed from posting to posting the links end at a payment. Money nets by amount along them (`measures.cash`), so a link that contradicts what
it names is judged here, before anything is counted.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.contract import Delivery
from collect_analysis.book.tables.debts import MOST_LINKS

_COLUMNS = ("payment_key", "account_key", "amount_minor", "value_date", "reversal_of", "eligible")


def judge_reversals(delivery: Delivery, files: Iterable[Path]) -> None:
    """Judge the reversals of a delivery of payments by what they take back, in it or in the book (`files` of table `payment`).

    Reasons: reversal_endless, reversal_of_unknown, reversal_of_other_account, reversal_before_original, reversal_same_sign,
    reversal_above_original, reversal_counts_differently; money_out_unlinked for amounts below 0 that name nothing; original_misfits for
    originals that come after a reversal the book has and contradict it.
    """
    rows = delivery.rows.take(pa.array(delivery.good)).append_column("row", pa.array(delivery.good))
    below = pc.less(rows["amount_minor"], 0)
    if "reversal_of" not in rows.column_names:
        delivery.fault("amount_minor", "money_out_unlinked", _where(rows, below))
        return
    linked = pc.is_valid(rows["reversal_of"])
    delivery.fault("amount_minor", "money_out_unlinked", _where(rows, pc.and_(below, pc.invert(linked))))
    postings = _linked_postings(rows, list(files))
    if postings.empty:
        return
    judged = _judged(postings)
    mine = judged[judged["row"] >= 0]
    for reason, column in _REASONS.items():
        delivery.fault(column, reason, np.sort(mine.loc[mine[reason], "row"].to_numpy(dtype=np.int64)))
    misfits = judged.loc[(judged["row"] < 0) & judged[list(_MISFITS)].any(axis=1), "reversal_of"]
    late = postings.index.isin(misfits) & (postings["row"] >= 0)
    delivery.fault("payment_key", "original_misfits", np.sort(postings.loc[late, "row"].to_numpy(dtype=np.int64)))


_MISFITS = ("reversal_of_other_account", "reversal_before_original", "reversal_same_sign", "reversal_above_original")
# Which column shows the fault.
_REASONS = {
    "reversal_endless": "reversal_of",
    "reversal_of_unknown": "reversal_of",
    "reversal_of_other_account": "account_key",
    "reversal_before_original": "value_date",
    "reversal_same_sign": "amount_minor",
    "reversal_above_original": "amount_minor",
    "reversal_counts_differently": "eligible",
}


def _where(rows: pa.Table, mask: pa.ChunkedArray) -> np.ndarray:
    return rows["row"].filter(pc.fill_null(mask, False)).to_numpy()


def _linked_postings(rows: pa.Table, files: list[Path]) -> pd.DataFrame:
    """The reversals of delivery and book and the postings they name, by payment_key; `row` is -1 for those of the book."""
    held = [pyarrow.parquet.read_table(path, columns=list(_COLUMNS), filters=pc.field("reversal_of").is_valid()) for path in files]
    new = rows.select([*_COLUMNS, "row"])
    reversals = [table.append_column("row", pa.array(np.full(table.num_rows, -1))) for table in held]
    reversals.append(new.filter(pc.is_valid(new["reversal_of"])))
    named = pa.chunked_array([chunk for table in reversals for chunk in table["reversal_of"].chunks], pa.string()).combine_chunks()
    if not len(named):
        return pd.DataFrame()
    originals = [pyarrow.parquet.read_table(path, columns=list(_COLUMNS), filters=pc.field("payment_key").isin(named)) for path in files]
    found = [table.append_column("row", pa.array(np.full(table.num_rows, -1))) for table in originals]
    found.append(new.filter(pc.is_in(new["payment_key"], value_set=named)))
    frame = pa.concat_tables([*reversals, *found], promote_options="permissive").to_pandas()
    # The book keeps a key once; so does a delivery whose repeats were set aside.
    return frame.drop_duplicates("payment_key").set_index("payment_key")


def _judged(postings: pd.DataFrame) -> pd.DataFrame:
    """The reversals with one flag per reason."""
    reversals = postings[postings["reversal_of"].notna()].copy()
    original = postings.reindex(reversals["reversal_of"]).set_axis(reversals.index)
    known = original["account_key"].notna()
    steps = _steps(reversals["reversal_of"])
    left = _left(postings, steps)
    amount = postings["amount_minor"]
    over, beyond = (np.sign(left) == -np.sign(amount)) & (left != 0), left.abs() > amount.abs()
    reversals["reversal_endless"] = steps > MOST_LINKS
    whole = known & ~reversals["reversal_endless"]
    reversals["reversal_of_unknown"] = ~known
    reversals["reversal_of_other_account"] = whole & (reversals["account_key"] != original["account_key"])
    reversals["reversal_before_original"] = whole & (pd.to_datetime(reversals["value_date"]) < pd.to_datetime(original["value_date"]))
    same = np.sign(reversals["amount_minor"]) == np.sign(original["amount_minor"])
    # Posted again under the original's own key after a reversal of it, money is there once; on its own it would be more than came in.
    reversals["reversal_same_sign"] = whole & same & reversals["reversal_of"].isin(beyond.index[beyond & ~over])
    reversals["reversal_above_original"] = whole & ~reversals["reversal_same_sign"] & reversals["reversal_of"].isin(over.index[over])
    reversals["reversal_counts_differently"] = whole & (reversals["eligible"] != original["eligible"])
    return reversals


def _steps(named: pd.Series) -> pd.Series:
    """How many links lie between a reversal and a posting that is none; more than MOST_LINKS where they do not end."""
    steps, at = pd.Series(1, index=named.index), named
    for _ in range(MOST_LINKS):
        at = at.map(named)
        steps += at.notna()
    return steps


def _left(postings: pd.DataFrame, steps: pd.Series) -> pd.Series:
    """What is left of each posting after all that takes it back, directly or through others."""
    left = postings["amount_minor"]
    for depth in range(MOST_LINKS, 0, -1):
        of_depth = steps.index[steps == depth]
        taken = left[of_depth].groupby(postings.loc[of_depth, "reversal_of"]).sum()
        left = left + taken.reindex(left.index, fill_value=0)
    return left
