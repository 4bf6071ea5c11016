"""What a row shows only beside others: repeats within a delivery and with the book, unknown accounts, payments before entry."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.contract import Delivery, empty_columns
from collect_analysis.book.doubtful_ids import without_zeros

# Canonical columns that name a row of another table.
REFERS = {"account_key": "account", "unit_key": "unit", "officer_key": "officer"}


def repeats_within(delivery: Delivery) -> None:
    """Set aside rows whose key came before: word for word the later ones, with other values all of them, for which one holds is unknown."""
    key = [name for name in delivery.table.key if name in delivery.rows.column_names]
    good = delivery.good
    keys = delivery.rows.select(key).take(pa.array(good)).to_pandas(types_mapper=pd.ArrowDtype)
    again = keys.duplicated(keep=False).to_numpy()
    if not again.any():
        return
    rows = good[again]
    whole = delivery.rows.take(pa.array(rows)).to_pandas(types_mapper=pd.ArrowDtype)
    exact = whole.duplicated(keep="first").to_numpy()
    variants = whole[~exact].groupby(key, dropna=False, sort=False)[key[0]].transform("size")
    differing = pd.MultiIndex.from_frame(whole.loc[variants[variants > 1].index, key])
    conflict = pd.MultiIndex.from_frame(whole[key]).isin(differing)
    delivery.fault(key[0], "duplicate_exact", rows[exact & ~conflict])
    delivery.fault(key[0], "duplicate_conflict", rows[conflict])


def repeats_in_book(delivery: Delivery, loaded: Mapping[str, Path]) -> None:
    """Set aside rows whose key the book holds from another delivery; `loaded` maps that delivery's name to its file."""
    key = [name for name in delivery.table.key if name in delivery.rows.column_names]
    for origin, path in loaded.items():
        good = delivery.good
        mine = joined(delivery.rows.select(key).take(pa.array(good)))
        theirs = joined(pyarrow.parquet.read_table(path, columns=key))
        met = good[pc.is_in(mine, value_set=theirs).to_numpy(zero_copy_only=False)]
        if not len(met):
            continue
        rows = delivery.rows.take(pa.array(met))
        known = pyarrow.parquet.read_table(path).filter(pc.is_in(theirs, value_set=joined(rows.select(key))))
        held = joined(_with_columns(known, rows.schema).select(rows.column_names))
        equal = pc.is_in(joined(rows), value_set=held).to_numpy(zero_copy_only=False)
        delivery.fault(key[0], "already_loaded", met[equal], origin=origin)
        delivery.fault(key[0], "conflicts_with_load", met[~equal], origin=origin)


def _with_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows


def joined(rows: pa.Table) -> pa.Array:
    """Each row as one text, empty cells told from empty texts."""
    texts = [pc.fill_null(pc.cast(column, pa.string()), "\x1e") for column in rows.columns]
    joined = pc.binary_join_element_wise(*texts, "\x1f") if len(texts) > 1 else texts[0]
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def payments_before_entry(delivery: Delivery, accounts: pa.Table) -> None:
    """Set aside payments whose value date lies before the debt entered the book (`accounts`: account_key, open_date)."""
    place = pc.index_in(delivery.rows["account_key"], value_set=accounts["account_key"].combine_chunks())
    entered = accounts["open_date"].take(place)
    early = pc.fill_null(pc.less(delivery.rows["value_date"], entered), False).to_numpy()
    delivery.fault("value_date", "payment_before_entry", np.flatnonzero(early & ~delivery.bad))


def orphans(delivery: Delivery, known: Mapping[str, pa.Array]) -> None:
    """Rows that name an account, unit or officer no table knows, or knows with other zeros. `known` maps a column to the keys there are."""
    for column, keys in known.items():
        if column not in delivery.rows.column_names or delivery.table.name == REFERS[column]:
            continue
        good = delivery.good
        named = delivery.rows[column].take(pa.array(good))
        lost = pc.and_(pc.is_valid(named), pc.invert(pc.is_in(named, value_set=keys))).to_numpy()
        alike = lost & pc.is_in(without_zeros(named.combine_chunks()), value_set=without_zeros(keys).drop_null()).to_numpy(
            zero_copy_only=False
        )
        delivery.fault(column, "id_lost_zeros", good[alike], where=f"table {REFERS[column]}")
        lost &= ~alike
        distinct = pc.count_distinct(named.filter(pa.array(lost))).as_py()
        delivery.fault(column, "unknown_reference", good[lost], table=REFERS[column], distinct=distinct)


def double_postings(delivery: Delivery) -> None:
    """Payments that repeat account, amount and day of another."""
    good = delivery.good
    rows = delivery.rows.select(["account_key", "amount_minor", "value_date"]).take(pa.array(good)).to_pandas(types_mapper=pd.ArrowDtype)
    delivery.fault("", "posted_twice", good[rows.duplicated(keep="first").to_numpy(dtype=bool)])


def statuses_after_final(delivery: Delivery, files: Collection[Path]) -> None:
    """Month ends after one at which the account had left, and exits that a later month end of the book contradicts."""
    good = delivery.good
    rows = delivery.rows.select(["account_key", "month_end", "status"]).take(pa.array(good))
    left = pc.not_equal(rows["status"], "open")
    gone = rows.filter(left)
    exits = [gone, *_held(files, rows.column_names, pc.field("status") != "open")]
    first = pa.concat_tables(exits).group_by("account_key").aggregate([("month_end", "min")])
    late = _beside(rows, first, "month_end_min", pc.greater)
    later = [gone.slice(0, 0), *_held(files, rows.column_names, pc.field("account_key").isin(gone["account_key"].combine_chunks()))]
    last = pa.concat_tables(later).group_by("account_key").aggregate([("month_end", "max")])
    undone = _beside(rows, last, "month_end_max", pc.less) & left.to_numpy()
    again = int((late & ~left.to_numpy()).sum())
    delivery.fault("status", "status_after_final", good[late | undone], again=again)


def _held(files: Iterable[Path], columns: list[str], wanted: pc.Expression) -> list[pa.Table]:
    """Rows of a table that the book holds."""
    return [pyarrow.parquet.read_table(path, columns=columns, filters=wanted) for path in files]


def _beside(rows: pa.Table, days: pa.Table, column: str, compare: Callable[..., pa.ChunkedArray]) -> np.ndarray:
    """Whether the month end of each row compares so with the day of its account; not where the account has none."""
    place = pc.index_in(rows["account_key"], value_set=days["account_key"].combine_chunks())
    day: np.ndarray = pc.fill_null(compare(rows["month_end"], days[column].combine_chunks().take(place)), False).to_numpy()
    return day


def overlapping_placements(delivery: Delivery, files: Iterable[Path]) -> None:
    """Placements with a unit that begin while another placement of the account runs, in the delivery or in the book."""
    good = delivery.good
    columns = ["decision_key", "account_key", "kind", "unit_key", "from_date", "to_date"]
    mine = empty_columns(delivery.table, delivery.rows.take(pa.array(good))).select(columns).append_column("row", pa.array(good))
    held = [pyarrow.parquet.read_table(path, columns=columns) for path in files]
    parts = [mine, *(table.append_column("row", pa.array(np.full(table.num_rows, -1))) for table in held)]
    whole = pa.concat_tables(parts, promote_options="permissive")
    frame = whole.filter(pc.and_(pc.equal(whole["kind"], "placement"), pc.is_valid(whole["unit_key"]))).to_pandas()
    frame["to_date"] = pd.to_datetime(frame["to_date"]).fillna(pd.Timestamp("2262-01-01"))
    frame["from_date"] = pd.to_datetime(frame["from_date"])
    frame = frame[frame["to_date"] > frame["from_date"]].sort_values(["account_key", "from_date", "decision_key"])
    reach = frame.groupby("account_key")["to_date"].cummax().groupby(frame["account_key"]).shift()
    during = frame[(frame["from_date"] < reach) & (frame["row"] >= 0)]
    delivery.fault(
        "from_date", "overlapping_placements", np.sort(during["row"].to_numpy(dtype=np.int64)), accounts=during["account_key"].nunique()
    )
