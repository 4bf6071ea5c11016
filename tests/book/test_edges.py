"""Days that stand for a month: the calendar's edge, or refused with days, portfolios and rows, or moved where the mapping says so, and told."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.intake import ImportReport, import_source
from collect_analysis.book.store import book_from_frames, open_book, read_manifest
from collect_analysis.errors import DataError

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
ACCOUNTS = "account,portfolio\na,P1\nb,P2\nc,P2\n"
ACCOUNT = """\
      account_key: {from: account}
      customer_key: {from: account}
      portfolio_code: {from: portfolio}
      product_code: {value: card}
      debt_status: {value: overdue}
      open_date: {value: 2026-01-01}
      original_minor: {value: 10}
      is_restructured: {value: false}
"""
MONTH_END = """\
      account_key: {{from: account}}
      month_end: {day}
      status: {{value: open}}
      bucket: {{value: 1}}
      balance_minor: {{value: 10}}
"""


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder, self.books = folder, folder / "books"

    def load(
        self, text: str, table: str, columns: str, *, name: str | None = None, now: datetime = NOW, extra: str = "", loss: float = 0
    ) -> ImportReport:
        name = name or table.replace("_", "-")
        (self.folder / f"{name}.csv").write_text(text, encoding="utf-8")
        path = self.folder / f"{name}.yml"
        path.write_text(
            f"source: {name}\nbook: shop\ncurrency: VND\nlocation: {{variable: EDGE_DIR, default: {self.folder}}}\nfiles: {name}.csv\n"
            f"format: {{kind: csv}}\nallowed_loss: {loss}\n{extra}\ntables:\n  {table}:\n    columns:\n{columns}",
            encoding="utf-8",
        )
        return import_source(path, books=self.books, now=now)

    def month_ends(self, text: str, day: str = "{from: day}", **options) -> ImportReport:
        return self.load("account,day\n" + text, "month_end", MONTH_END.format(day=day), **options)

    def stored(self) -> list[date]:
        book = open_book("shop", as_of=date(2026, 12, 31), folder=self.books)
        days = book.frame(book.table("month_end").select("account_key", "month_end"))
        return [pd.Timestamp(day).date() for day in days.sort_values(["account_key", "month_end"])["month_end"]]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


TWO_KINDS = "a,2026-05-31\nb,2026-05-29\nc,2026-05-29\na,2026-04-30\n"


def test_the_last_working_day_of_a_month_is_refused_with_days_portfolios_rows_and_the_fix(shop: Shop) -> None:
    shop.load(ACCOUNTS, "account", ACCOUNT)
    with pytest.raises(DataError) as error:
        shop.month_ends(TWO_KINDS, loss=1)
    told = error.value.problems[1]
    assert told == (
        "month-end.csv, line 3: the row (month_end) '2026-05-29' is not the last day of its month: 2026-05-29 in portfolio P2 (2 rows) (2 rows); "
        "declare `edge: end` to move it there, or mend the source"
    )


def test_without_accounts_the_days_alone_are_named(shop: Shop) -> None:
    with pytest.raises(DataError, match=r"2026-04-29 \(1 rows\), 2026-05-29 \(2 rows\)"):
        shop.month_ends("a,2026-05-29\nb,2026-05-29\nc,2026-04-29\n")


def test_a_first_day_may_mean_the_month_before_and_that_is_said(shop: Shop) -> None:
    with pytest.raises(DataError, match="a 1st may mean the end of the month before: ask the sender"):
        shop.month_ends("a,2026-06-01\nb,2026-06-01\n")


def test_where_the_edge_is_declared_days_are_moved_and_the_manifest_and_the_output_say_so(shop: Shop) -> None:
    shop.load(ACCOUNTS, "account", ACCOUNT)
    report = shop.month_ends(TWO_KINDS, "{from: day, edge: end}")
    assert shop.stored() == [date(2026, 4, 30), date(2026, 5, 31), date(2026, 5, 31), date(2026, 5, 31)]
    (finding,) = report.loads[0].findings
    assert (finding.check, finding.severity, finding.rows, finding.first_line) == ("moved_to_edge", "note", 2, 3)
    assert "2026-05-29 in portfolio P2 (2 rows)" in finding.sentence
    assert any("is moved to the last day of its month" in sentence for sentence in report.warnings)
    assert read_manifest(shop.books / "shop").loads[-1].findings == (finding,)


def test_a_month_written_without_a_day_is_moved_by_nobody(shop: Shop) -> None:
    report = shop.month_ends("a,2026-05\n", '{from: day, date: "%Y-%m", edge: end}')
    assert shop.stored() == [date(2026, 5, 31)]
    assert report.loads[0].findings == ()


def test_two_days_of_one_month_of_one_account_do_not_become_one(shop: Shop) -> None:
    columns = MONTH_END.format(day="{from: day, edge: end}").replace("balance_minor: {value: 10}", "balance_minor: {from: owed}")
    with pytest.raises(DataError, match="the same key stands on rows that differ"):
        shop.load("account,day,owed\na,2026-05-29,10\na,2026-05-31,9\n", "month_end", columns)


def test_the_end_of_a_running_month_may_lie_ahead_of_the_day_that_the_source_wrote(shop: Shop) -> None:
    saturday = datetime(2026, 5, 30, 9, tzinfo=UTC)
    shop.month_ends("a,2026-05-29\n", "{from: day, edge: end}", now=saturday)
    assert shop.stored() == [date(2026, 5, 31)]
    with pytest.raises(DataError, match="lies after 2026-05-30"):
        shop.month_ends("a,2026-06-30\n", "{from: day, edge: end}", now=saturday, name="june")


def test_rows_of_other_days_may_be_set_aside_but_not_kept(shop: Shop) -> None:
    report = shop.month_ends(TWO_KINDS, extra="checks: {off_month_end: quarantine}", loss=1)
    assert (report.loads[0].rows_kept, report.loads[0].rows_quarantined) == (2, 2)
    with pytest.raises(Exception, match="cannot be 'note'"):
        shop.month_ends(TWO_KINDS, extra="checks: {off_month_end: note}", loss=1)


UNIT_PERIOD = """\
      unit_key: {from: unit}
      period_start: {from: since}
      period_end: {from: until}
      collected_minor: {value: 5}
"""
TARGET = """\
      scope_type: {value: company}
      scope_key: {value: all}
      period_start: {from: since}
      period_end: {from: until}
      kpi: {value: R1}
      version: {value: 1}
      value: {value: 100}
      status: {value: approved}
"""


@pytest.mark.parametrize(("table", "columns"), [("unit_period", UNIT_PERIOD), ("target", TARGET)])
def test_other_periods_are_held_to_their_edges_too(shop: Shop, table: str, columns: str) -> None:
    with pytest.raises(DataError, match=r"is not the last day of a month: 2026-05-29 \(1 rows\).*declare `edge: end`") as error:
        shop.load("unit,since,until\nu,2026-05-01,2026-05-29\n", table, columns)
    assert len(error.value.problems) == 2
    with pytest.raises(DataError, match=r"is not the first day of a month: 2026-05-04 .*declare `edge: start`"):
        shop.load("unit,since,until\nu,2026-05-04,2026-05-31\n", table, columns)
    assert shop.load("unit,since,until\nu,2026-04-01,2026-06-30\n", table, columns).loads[0].rows_kept == 1


def test_a_shop_that_works_in_weeks_says_so(shop: Shop) -> None:
    report = shop.load("unit,since,until\nu,2026-05-04,2026-05-10\n", "unit_period", UNIT_PERIOD, extra="checks: {off_period_edge: note}")
    assert {finding.check for finding in report.loads[0].findings} == {"off_period_edge"}
    assert report.loads[0].rows_kept == 1


def test_a_frame_is_held_to_the_same(shop: Shop) -> None:
    frame = pd.DataFrame({"account_key": ["a", "b"], "month_end": [date(2026, 5, 29), date(2026, 5, 31)]})
    with pytest.raises(DataError, match=r"month_end is not the last day of its month: 2026-05-29 \(1 rows\)"):
        book_from_frames({"month_end": frame}, as_of=date(2026, 6, 30))
