"""The draw: which customer of a population gets which arm, computed where the data live, never a row per customer in a frame.

A customer is assigned with all accounts. What decides is the salted hash of the customer's key (`methods.assignment`); strata and blocks
only make the arms alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.cohort import Cohort
from collect_analysis.methods.trials.assignment import BUCKETS, HEX_DIGITS, block_slots, bucket_limits, salt_id

STRATA = ("bucket", "balance_band", "score_band", "product", "region")
LIST_COLUMNS = ("account_key", "customer_key", "stratum", "arm", "probability", "salt_id", "experiment_id")
UNKNOWN = "unknown"
_BANDS = 4


@dataclass(frozen=True, kw_only=True)
class DrawPlan:
    """How customers are drawn: arms with shares (champion first), salt, `blocks` or `hash`, strata, cut points of the bands.

    `test_share` of the customers take part, chosen by a hash of their own; the others are not in the draw.

    Empty cut points mean quarters of the customers drawn; the cut points used are part of what is registered.
    """

    experiment_id: str
    salt: str
    shares: Mapping[str, float]
    mode: str = "blocks"
    test_share: float = 1.0
    strata: tuple[str, ...] = ()
    balance_cuts: tuple[int, ...] = ()
    score_cuts: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The customers drawn (one row each) and the accounts that go with them; both stay in the engine.

    `customers`: customer_key, accounts, balance, bucket, score, stratum, arm, probability, kept (had the arm before). `accounts`: account_key,
    owner_key. `cuts`: the cut points used. `block`: customers in a full block; 1 where drawn by hash.
    """

    plan: DrawPlan
    customers: ir.Table
    accounts: ir.Table
    cuts: Mapping[str, tuple[float, ...]]
    block: int


def hash_digest(key: ir.StringValue, salt: str) -> ir.StringValue:
    """SHA-256 of "salt:key" in hex."""
    return (ibis.literal(f"{salt}:") + key).hexdigest("sha256")


def hash_number(digest: ir.StringValue) -> ir.IntegerValue:
    """The first 8 hex digits as a number below 2^32, in string and integer arithmetic that every engine has."""
    digits = ibis.literal("0123456789abcdef")
    total: ir.IntegerValue = ibis.literal(0, type="int64")
    for place in range(HEX_DIGITS):
        total = total + digits.find(digest.substr(place, 1)).cast("int64") * 16 ** (HEX_DIGITS - 1 - place)
    return total


def hash_buckets(key: ir.StringValue, salt: str) -> ir.IntegerValue:
    """The bucket 0-9999 of each key, as `methods.assignment.hash_bucket` says."""
    return ((hash_number(hash_digest(key, salt)) * BUCKETS) // 2 ** (4 * HEX_DIGITS)).cast("int64")


def draw(book: Book, rows: ir.Table, plan: DrawPlan) -> Draw:
    """Assign the customers of `rows` (accounts as `history.members` gives them).

    Every customer gets each arm with exactly its share as probability. Those whom the book already shows in the experiment keep their arm.

    Raises
    ------
    ParameterError
        A share is not above 0, shares do not sum to 1, or they fit no block.
    """
    bucket_limits(plan.shares)
    slots = block_slots(plan.shares) if plan.mode == "blocks" else ()
    # Read once: the cut points, the strata and the draw all pass over it.
    people = _customers(rows).cache()
    if plan.test_share < 1:
        people = people.filter(hash_buckets(people["customer_key"], f"{plan.salt}/in") < round(plan.test_share * BUCKETS))
    cuts = {
        "balance_band": _cuts(book, people["balance"], plan.balance_cuts, wanted="balance_band" in plan.strata),
        "score_band": _cuts(book, people["score"], plan.score_cuts, wanted="score_band" in plan.strata),
    }
    people = people.mutate(stratum=_stratum(people, plan, cuts))
    people = _with_kept(book, people, plan).cache()
    fresh = people.filter(people["held_arm"].isnull())
    drawn = _in_blocks(fresh, plan, slots) if slots else _by_hash(fresh, plan)
    held = people.filter(people["held_arm"].notnull())
    held = held.mutate(arm=held["held_arm"], probability=held["held_probability"])
    columns = ["customer_key", "accounts", "balance", "bucket", "score", "stratum", "arm", "probability"]
    both = ibis.union(
        drawn.select(*columns, kept=ibis.literal(value=False)), held.select(*columns, kept=ibis.literal(value=True)), distinct=False
    )
    accounts = rows.select(account_key=rows["subject_key"], owner_key=rows["cluster_key"]).cache()
    return Draw(plan=plan, customers=both.cache(), accounts=accounts, cuts=cuts, block=len(slots) or 1)


def drawn_again(book: Book, cohort: Cohort, arms: Sequence[str]) -> tuple[float, float, int] | None:
    """Does the registered salt give every customer (or account) of `arms` its arm again?

    Drawn by hash, an arm is a range of the 10,000 buckets as wide as its planned share; in which order the ranges lie is read from the mean
    buckets of the arms. Returns the share whose arm comes out again, the share that would by chance, and how many are in another arm; None
    where table `experiment` lacks one salt or the shares of all arms, or something else than customers or accounts was assigned.
    """
    rows = list(cohort.planned.values())
    salts, units = ({str(row.get(name) or "") for row in rows} for name in ("salt", "unit_of_assignment"))
    shares = {arm: float(str(row.get("share") or 0)) for arm, row in cohort.planned.items()}
    drawn = set(arms) <= set(shares) and len(salts) == len(units) == 1 and "" not in salts and units <= {"customer", "account"}
    if not drawn or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-3:
        return None
    table = cohort.table.filter(cohort.table["arm"].isin(list(shares)))
    key = table["cluster_key" if units == {"customer"} else "subject_key"].cast("string")
    people = table.select("arm", key=key, bucket=hash_buckets(key, salts.pop())).distinct().cache()
    found = book.frame(people.group_by("arm").aggregate(n=people.count(), bucket=people["bucket"].sum())).set_index("arm")
    if set(shares) - set(found.index):
        return None
    mean = found["bucket"] / found["n"]
    limits = bucket_limits({arm: shares[arm] for arm in sorted(shares, key=lambda arm: (float(mean[arm]), arm))})
    asked = people.filter(people["arm"].isin(list(arms)))
    own = [(asked["arm"] == arm, (asked["bucket"] >= low) & (asked["bucket"] < high)) for arm, (low, high) in limits.items()]
    same, total = int(str(book.scalar(ibis.cases(*own).cast("int64").sum()))), int(found.loc[list(arms), "n"].sum())
    by_chance = sum(float(found["n"][arm]) * (limits[arm][1] - limits[arm][0]) / BUCKETS for arm in arms) / total
    return same / total, by_chance, total - same


def arm_counts(book: Book, found: Draw) -> pd.DataFrame:
    """Who got which arm? Columns: arm, share (planned), cases (accounts), customers, actual (share of the
    customers), kept_arm (customers who had the arm before), balance_minor; one row per arm in the order of the plan.
    """
    table = found.customers
    frame = book.frame(
        table.group_by("arm").aggregate(
            cases=table["accounts"].sum(),
            customers=table.count(),
            kept_arm=table["kept"].cast("int64").sum(),
            balance_minor=table["balance"].sum().cast("int64"),
        )
    ).set_index("arm")
    order = [*found.plan.shares, *sorted(set(frame.index) - set(found.plan.shares))]
    counts = frame.reindex(order).fillna(0).astype("int64").rename_axis("arm").reset_index()
    counts.insert(1, "share", [float(found.plan.shares.get(arm, 0.0)) for arm in counts["arm"]])
    total = counts["customers"].sum()
    counts.insert(4, "actual", counts["customers"] / total if total else np.nan)
    return counts


def balance_sums(book: Book, found: Draw) -> pd.DataFrame:
    """Sums per variable and arm for `assignment.standardised_differences`: balance, accounts, bucket, score, and each stratum's share."""
    table = found.customers
    named = {"balance": table["balance"], "accounts": table["accounts"], "bucket": table["bucket"], "score": table["score"]}
    sums: dict[str, ir.Value] = {}
    for name, column in named.items():
        value = column.cast("float64")
        sums |= {f"n_{name}": value.count(), f"s_{name}": compensated_sum(value), f"q_{name}": sum_of_products(value, value)}
    frame = book.frame(table.group_by("arm").aggregate(**sums))
    rows = [
        {"variable": name, "arm": row["arm"], "cases": row[f"n_{name}"], "sum_x": row[f"s_{name}"], "sum_xx": row[f"q_{name}"]}
        for row in frame.to_dict("records")
        for name in named
    ]
    return pd.DataFrame(rows, columns=["variable", "arm", "cases", "sum_x", "sum_xx"]).dropna(subset=["sum_x"])


def strata_table(book: Book, found: Draw) -> pd.DataFrame:
    """Did every stratum get the arms in their shares?

    Columns: stratum, cases (customers), off_by (largest distance of an arm's customers from share x customers), gap_share (largest distance
    of an arm's share of the balance from its share), short (fewer customers than one block). Sorted by stratum. Those kept from before are
    not counted: they were drawn among others.
    """
    table = found.customers.filter(~found.customers["kept"])
    sums: dict[str, ir.Value] = {"cases": table.count(), "balance": table["balance"].sum().cast("int64")}
    for place, arm in enumerate(found.plan.shares):
        mine = table["arm"] == arm
        sums |= {f"n{place}": mine.cast("int64").sum(), f"b{place}": table["balance"].sum(where=mine).fill_null(0).cast("int64")}
    frame = book.frame(table.group_by("stratum").aggregate(**sums).order_by("stratum"))
    shares = list(found.plan.shares.values())
    counted = np.column_stack([np.abs(frame[f"n{place}"] - share * frame["cases"]) for place, share in enumerate(shares)])
    owed = frame["balance"].where(frame["balance"] > 0).astype(float)
    money = np.column_stack([np.abs(frame[f"b{place}"] / owed - share) for place, share in enumerate(shares)])
    return frame[["stratum", "cases"]].assign(
        off_by=counted.max(axis=1) if len(frame) else [],
        gap_share=money.max(axis=1) if len(frame) else [],
        short=frame["cases"] < found.block,
    )


def in_several_arms(book: Book, found: Draw) -> int:
    """How many customers would be in more than one arm? Proof of the draw: it must be 0."""
    table = found.customers
    seen = table.group_by("customer_key").aggregate(arms=table["arm"].nunique())
    return int(str(book.scalar((seen["arms"] > 1).sum()) or 0))


def listing(found: Draw) -> ir.Table:
    """The operational list: LIST_COLUMNS, one row per account, in the order of customer and account."""
    accounts = found.accounts
    joined = accounts.join(found.customers, accounts["owner_key"] == found.customers["customer_key"])
    rows = joined.mutate(salt_id=ibis.literal(salt_id(found.plan.salt)), experiment_id=ibis.literal(found.plan.experiment_id))
    return rows.select(*LIST_COLUMNS).order_by(["customer_key", "account_key"])


def list_batches(book: Book, found: Draw) -> Iterator[pa.RecordBatch]:
    """The operational list in pieces, so that millions of rows pass without becoming objects."""
    return book.batches(listing(found))


def _customers(rows: ir.Table) -> ir.Table:
    """One row per customer: all accounts together; product and region of the account owed most on."""
    first = ibis.row_number().over(ibis.window(group_by="cluster_key", order_by=[rows["balance"].desc(), rows["subject_key"]]))
    ranked = rows.mutate(place=first)
    largest = ranked["place"] == 0
    return (
        ranked.group_by("cluster_key")
        .aggregate(
            accounts=ranked.count(),
            balance=ranked["balance"].sum().cast("int64"),
            bucket=ranked["bucket"].max(),
            score=ranked["score"].min(),
            product=ranked["product"].max(where=largest),
            region=ranked["region"].max(where=largest),
        )
        .rename(customer_key="cluster_key")
    )


def _cuts(book: Book, column: ir.NumericColumn, declared: Sequence[float], *, wanted: bool) -> tuple[float, ...]:
    if declared or not wanted:
        return tuple(float(cut) for cut in declared)
    number = column.cast("float64")
    quarters = {f"q{part}": number.quantile(part / _BANDS) for part in range(1, _BANDS)}
    found = book.frame(number.as_table().aggregate(**quarters)).iloc[0].dropna()
    # Cut points that people can write down again.
    return tuple(sorted({float(f"{float(cut):.6g}") for cut in found}))


def _stratum(people: ir.Table, plan: DrawPlan, cuts: Mapping[str, tuple[float, ...]]) -> ir.StringValue:
    if not plan.strata:
        return ibis.literal("all")
    parts = []
    for name in plan.strata:
        if name in cuts:
            parts.append(_band(people[name.removesuffix("_band")], cuts[name]))
        else:
            parts.append(people[name].cast("string").fill_null(UNKNOWN))
    label = ibis.literal(f"{plan.strata[0]} ") + parts[0]
    for name, part in zip(plan.strata[1:], parts[1:], strict=True):
        label = label + ibis.literal(f", {name} ") + part
    return label


def _band(column: ir.NumericColumn, cuts: Sequence[float]) -> ir.StringValue:
    """The band of a number: 1 below the first cut point, 2 from it on, ..."""
    band: ir.IntegerValue = ibis.literal(1, type="int64")
    for cut in cuts:
        band = band + (column.cast("float64") >= cut).cast("int64")
    return band.cast("string").fill_null(UNKNOWN)


def _with_kept(book: Book, people: ir.Table, plan: DrawPlan) -> ir.Table:
    """The customers with the arm the book already shows them in: an assignment is kept until exit."""
    decisions = book.table("decision")
    decisions = decisions.filter(
        decisions["kind"] == "experiment", decisions["experiment_id"] == plan.experiment_id, decisions["arm"].isin(list(plan.shares))
    )
    order = ibis.window(group_by="customer_key", order_by=["from_date", "decision_key"])
    first = decisions.mutate(place=ibis.row_number().over(order))
    first = first.filter(first["place"] == 0).select(
        held_key=first["customer_key"], held_arm=first["arm"], held_probability=first["propensity"]
    )
    joined = people.left_join(first, people["customer_key"] == first["held_key"])
    return joined.select(*(people[name] for name in people.columns), joined["held_arm"], joined["held_probability"])


def _by_hash(people: ir.Table, plan: DrawPlan) -> ir.Table:
    bucket = hash_buckets(people["customer_key"], plan.salt)
    limits = bucket_limits(plan.shares)
    arm = ibis.cases(*((bucket < after, name) for name, (_, after) in limits.items()), else_=ibis.null("string"))
    return _with_probability(people.mutate(arm=arm), plan)


def _in_blocks(people: ir.Table, plan: DrawPlan, slots: Sequence[str]) -> ir.Table:
    """Within a stratum, customers of neighbouring balance form blocks; within a block the hash orders them over the slots.

    The slots of each block are turned by a hash of the block, so that in an unfilled last block everybody still gets each arm with its share.
    """
    size = len(slots)
    in_stratum = ibis.window(group_by="stratum", order_by=[people["balance"].desc(), people["customer_key"]])
    placed = people.mutate(block=ibis.row_number().over(in_stratum) // size, digest=hash_digest(people["customer_key"], plan.salt))
    in_block = ibis.window(group_by=["stratum", "block"], order_by=["digest", "customer_key"])
    named = placed["stratum"] + ibis.literal("#") + placed["block"].cast("int64").cast("string")
    turned = placed.mutate(place=ibis.row_number().over(in_block), turn=hash_number(hash_digest(named, plan.salt)) % size)
    slot = (turned["place"] + turned["turn"]) % size
    arm = ibis.cases(*((slot == place, name) for place, name in enumerate(slots)), else_=ibis.null("string"))
    return _with_probability(turned.mutate(arm=arm), plan)


def _with_probability(people: ir.Table, plan: DrawPlan) -> ir.Table:
    chances = ((people["arm"] == name, float(share)) for name, share in plan.shares.items())
    return people.mutate(probability=ibis.cases(*chances, else_=ibis.null("float64")))
