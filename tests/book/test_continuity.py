"""A delivery beside the former ones: what is gone, amounts of another size, columns that came, days without a delivery; and what day it is."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from collect_analysis.book.continuity import missing_days
from collect_analysis.book.intake import ImportReport
from collect_analysis.book.store import Load, read_manifest
from collect_analysis.errors import DataError

from tests.book.payments_source import Payments

HEADER = "id,account,amount,day\n"
COLUMNS = """\
      payment_key: {from: id}
      account_key: {from: account}
      amount_minor: {from: amount}
      value_date: {from: day}
      eligible: {value: true}
"""


def load(
    payments: Payments, ids: range, *, name: str = "cash.csv", amount: int = 100, header: str = HEADER, extra: str = "", **options
) -> ImportReport:
    body = "".join(f"{n},a{n},{amount + n},2026-06-01" + ",x" * (header.count(",") - 3) + "\n" for n in ids)
    payments.deliver(header + body, name)
    return payments.load(files="cash*.csv", form="{kind: csv}", columns=options.pop("columns", COLUMNS), extra=extra, **options)


def found(done: Load) -> dict[str, str]:
    return {each.check: each.severity for each in done.findings}


# A restated delivery.


def test_half_a_delivery_does_not_supersede_the_whole_one(payments: Payments) -> None:
    load(payments, range(20))
    with pytest.raises(DataError) as refused:
        load(payments, range(10))
    assert refused.value.problems == (
        "cash.csv: 10 of the 20 rows of the delivery that this one replaces are in none any more, more than a tenth; deliver it whole; another "
        "delivery needs a name of its own; rows taken back on purpose are declared under `checks`",
    )
    assert len(payments.rows()) == 20


def test_a_restatement_that_lacks_few_rows_is_told(payments: Payments) -> None:
    load(payments, range(20))
    (done,) = load(payments, range(2, 25)).loads
    assert found(done) == {"rows_gone": "note", "money_beside_former": "note"}
    assert "2 of the 20 rows" in done.findings[-1].sentence
    assert read_manifest(payments.books / "shop").active_loads == (done,)


def test_a_restatement_with_every_row_is_right_and_may_be_declared_smaller(payments: Payments) -> None:
    load(payments, range(20))
    assert "rows_gone" not in found(load(payments, range(30), amount=101).loads[0])
    (smaller,) = load(payments, range(5), extra="checks: {delivery_shrunk: note}").loads
    assert found(smaller)["delivery_shrunk"] == "note"


def test_another_delivery_under_the_same_name_is_refused(payments: Payments) -> None:
    load(payments, range(20))
    with pytest.raises(DataError, match="20 of the 20 rows of the delivery that this one replaces are in none any more"):
        load(payments, range(100, 120))


def test_rows_that_moved_to_another_delivery_are_not_gone(payments: Payments) -> None:
    load(payments, range(20))
    payments.deliver(HEADER + "".join(f"{n},a{n},{100 + n},2026-06-01\n" for n in range(10, 20)), "cash-2.csv")
    done = load(payments, range(10)).loads
    assert [set(found(each)) - {"money_beside_former"} for each in done] == [set(), set()]


def test_what_only_the_mapping_reads_anew_is_no_loss(payments: Payments) -> None:
    load(payments, range(20))
    prefixed = COLUMNS.replace("{from: id}", "{from: id, prefix: P}")
    (done,) = load(payments, range(20), columns=prefixed).loads
    assert set(found(done)) == {"money_beside_former"}


# Money beside the former delivery's.


def test_each_delivery_is_told_beside_the_former_one(payments: Payments) -> None:
    load(payments, range(3), name="cash-1.csv", amount=1_000)
    (done,) = load(payments, range(3, 6), name="cash-2.csv", amount=1_100).loads
    assert found(done) == {"money_beside_former": "note"}
    assert done.findings[0].sentence == (
        "3 rows hold 3,312 in minor units (median 1,104); the former delivery, cash-1.csv, 3 rows and 3,003 (median 1,001)"
    )


@pytest.mark.parametrize(("amount", "factor"), [(900, "0.001"), (90_000_000, "100")])
def test_amounts_of_another_size_are_told_and_may_be_refused(payments: Payments, amount: int, factor: str) -> None:
    load(payments, range(0, 1), name="cash-1.csv", amount=900_000)
    report = load(payments, range(1, 2), name="cash-2.csv", amount=amount - 1)
    assert found(report.loads[0]) == {"money_jump": "note"}
    assert f"{factor} times the 900,000 of the former delivery, cash-1.csv" in report.warnings[0]


def test_a_jump_may_be_refused(payments: Payments) -> None:
    load(payments, range(0, 1), name="cash-1.csv", amount=900_000)
    with pytest.raises(DataError, match=r"0\.001 times the 900,000"):
        load(payments, range(1, 2), name="cash-2.csv", amount=899, extra="checks: {money_jump: refuse}")


# Columns.


def test_columns_that_come_and_go_are_told(payments: Payments) -> None:
    load(payments, range(2), name="cash-1.csv", header="id,account,amount,day,old\n")
    report = load(payments, range(2, 4), name="cash-2.csv", header="id,account,amount,day,new,fresh\n")
    assert {check: severity for check, severity in found(report.loads[0]).items() if "column" in check} == {
        "new_column": "note",
        "column_gone": "note",
    }
    assert "cash-2.csv: 2 columns are new since cash-1.csv: 'new', 'fresh'; map them if they are needed" in report.warnings
    assert "cash-2.csv: 1 columns are gone since cash-1.csv: 'old'; ask the sender whether that is meant" in report.warnings
    with pytest.raises(DataError, match=r"1 columns are new since cash-2\.csv: 'third'"):
        load(payments, range(4, 6), name="cash-3.csv", header="id,account,amount,day,new,third\n", extra="checks: {new_column: refuse}")


# Days without a delivery.


def days(first: date, count: int, *, without: tuple[int, ...] = ()) -> list[date]:
    return [first + timedelta(days=n) for n in range(count) if n not in without]


MONDAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("names", "every", "step", "missing"),
    [
        ([f"cash-{day}.csv" for day in days(MONDAY, 7, without=(3,))], None, "day", ["2026-06-04"]),
        ([f"day={day}/part-{n}.parquet" for day in days(MONDAY, 5, without=(1,)) for n in (0, 1)], None, "day", ["2026-06-02"]),
        ([f"{day:%Y%m%d}_pay.csv" for day in days(MONDAY, 14) if day.weekday() < 5], None, "day", []),
        ([f"{day:%Y%m%d}_pay.csv" for day in days(MONDAY, 14) if day.weekday() < 5], "day", "day",
         ["2026-06-06", "2026-06-07", "2026-06-13", "2026-06-14"][:2]),
        ([f"{day:%d.%m.%Y}.csv" for day in days(MONDAY, 12, without=(2,)) if day.weekday() < 5], "working_day", "working_day", ["2026-06-03"]),
        ([f"w{day:%Y-%m-%d}" for day in days(MONDAY, 36) if day.weekday() == 0 and day.day != 15], None, "week", ["week 2026-W25"]),
        (["p-2026-01.csv", "p-2026-02.csv", "p-2026-04.csv"], None, "month", ["2026-03"]),
        (["p-202511.csv", "p-202602.csv"], "month", "month", ["2025-12", "2026-01"]),
        (["p-2026-01-31.csv", "p-2026-02-28.csv", "p-2026-04-30.csv"], "month", "month", ["2026-03"]),
        (["a-2026-06-01.csv", "a-2026-06-02.csv"], None, "", []),
        (["a-2026-06-01.csv", "a-2026-06-09.csv", "a-2026-06-30.csv"], None, "", []),
        (["a.csv", "b-2026-06-02.csv", "c-2026-06-09.csv"], "day", "", []),
    ],
)  # fmt: skip
def test_the_series_of_a_source_tells_its_gaps(names: list[str], every: str | None, step: str, missing: list[str]) -> None:
    assert missing_days(names, every) == (step, missing)


def test_a_day_on_which_nobody_works_is_no_gap() -> None:
    names = [f"cash-{day}.csv" for day in days(MONDAY, 5, without=(2,))]
    assert missing_days(names, "working_day", [date(2026, 6, 3)]) == ("working_day", [])


def test_a_missing_day_is_told_and_where_the_mapping_expects_it_refused(payments: Payments) -> None:
    for number, day in enumerate(days(MONDAY, 5, without=(2,))):
        payments.deliver(HEADER + f"{number},a,{number + 5},2026-06-01\n", f"cash-{day}.csv")
    with pytest.raises(DataError) as refused:
        payments.load(files="cash-*.csv", form="{kind: csv}", columns=COLUMNS, extra="every: day")
    assert refused.value.problems == (
        "source cash: between the first and the last delivery 1 lack, one being due every day: 2026-06-03; deliver them, or take `every` out of "
        "the mapping file",
    )
    report = payments.load(files="cash-*.csv", form="{kind: csv}", columns=COLUMNS)
    assert found(report.loads[0])["gap_in_deliveries"] == "note"
    assert "1 lack, most of them coming every day: 2026-06-03" in " ".join(report.warnings)


# What day it is.

HANOI = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("now", "extra", "right"),
    [
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "zone: Asia/Ho_Chi_Minh", True),
        (datetime(2026, 7, 1, 6, 0, tzinfo=HANOI), "zone: Asia/Ho_Chi_Minh", True),
        (datetime(2026, 6, 30, 16, 0, tzinfo=UTC), "zone: Asia/Ho_Chi_Minh", False),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "", True),
        (datetime(2026, 6, 30, 9, 0, tzinfo=UTC), "", False),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "zone: America/New_York", False),
        (datetime(2026, 7, 1, 0, 0), "", True),
    ],
)
def test_today_is_the_shops_day_wherever_the_server_stands(payments: Payments, now: datetime, extra: str, right: bool) -> None:
    payments.deliver(HEADER + "1,a,5,2026-07-01\n")
    (done,) = payments.load(form="{kind: csv}", columns=COLUMNS, extra=extra, now=now, loss=1).loads
    assert (done.rows_kept == 1) is right


def test_the_zone_of_the_columns_is_the_shops_where_none_is_declared(payments: Payments) -> None:
    columns = COLUMNS + "      posted_utc: {from: at, zone: America/New_York}\n"
    payments.deliver("id,account,amount,day,at\n1,a,5,2026-07-01,2026-06-30 10:00\n")
    (done,) = payments.load(form="{kind: csv}", columns=columns, now=datetime(2026, 6, 30, 23, 0, tzinfo=UTC), loss=1).loads
    assert found(done) == {"after_now": "quarantine"}


def test_a_zone_that_is_none_is_refused(payments: Payments) -> None:
    with pytest.raises(Exception, match="zone: 'Hanoi' is no time zone; write one as Asia/Ho_Chi_Minh"):
        payments.load(extra="zone: Hanoi")


def test_the_manifest_of_an_earlier_version_is_read(payments: Payments) -> None:
    import json

    load(payments, range(3))
    raw = json.loads(payments.manifest.read_text())
    for each in raw["loads"]:
        for name in ("money_median_minor", "delivered_hash", "columns", "findings"):
            del each[name]
    payments.manifest.write_text(json.dumps(raw))
    (done,) = load(payments, range(3, 5), name="cash-2.csv").loads
    assert found(done) == {}
