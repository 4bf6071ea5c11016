"""What a row shows only beside others: exits that were not final, placements at once; in the delivery, in the book, and where nothing is left."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import Load

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
MONTH_END = """\
      account_key: {from: account}
      month_end: {from: day}
      status: {from: status}
      bucket: {value: 1}
      balance_minor: {value: 10}
"""
DECISION = """\
      decision_key: {from: key}
      account_key: {from: account}
      customer_key: {from: account}
      kind: {value: placement}
      decided_utc: {value: "2026-01-01T00:00:00Z"}
      unit_key: {from: unit}
      from_date: {from: since}
      to_date: {from: until}
      balance_minor: {value: 10}
"""
PAYMENT = """\
      payment_key: {from: key}
      account_key: {from: account}
      amount_minor: {from: amount}
      value_date: {from: day}
      reversal_of: {from: of}
      eligible: {value: true}
"""


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, table: str, columns: str, header: str, body: str, *, name: str = "one", loss: float = 0) -> Load:
        source = f"{table.replace('_', '-')}-{name}"
        (self.folder / f"{source}.csv").write_text(header + body, encoding="utf-8")
        path = self.folder / f"{source}.yml"
        path.write_text(
            f"source: {source}\nbook: shop\ncurrency: VND\nlocation: {{variable: CROSS_DIR, default: {self.folder}}}\nfiles: {source}.csv\n"
            f"format: {{kind: csv}}\nallowed_loss: {loss}\ntables:\n  {table}:\n    columns:\n{columns}",
            encoding="utf-8",
        )
        (done,) = import_source(path, books=self.folder / "books", now=NOW).loads
        return done

    def month_ends(self, body: str, **options) -> dict[str, tuple[str, int, int | None]]:
        return found(self.load("month_end", MONTH_END, "account,day,status\n", body, **options))

    def placements(self, body: str, **options) -> dict[str, tuple[str, int, int | None]]:
        return found(self.load("decision", DECISION, "key,account,unit,since,until\n", body, **options))


def found(done: Load) -> dict[str, tuple[str, int, int | None]]:
    return {each.check: (each.severity, each.rows, each.first_line) for each in done.findings if each.check != "unknown_reference"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_status_after_an_exit_is_kept_and_told(shop: Shop) -> None:
    body = "a,2026-04-30,open\na,2026-05-31,paid_off\na,2026-06-30,open\nb,2026-05-31,sold\nb,2026-06-30,recalled\nc,2026-06-30,paid_off\n"
    done = shop.load("month_end", MONTH_END, "account,day,status\n", body)
    assert found(done) == {"status_after_final": ("note", 2, 4)}
    assert "1 open again" in done.findings[0].sentence
    assert done.rows_kept == 6


def test_an_exit_is_held_against_the_months_the_book_has(shop: Shop) -> None:
    assert shop.month_ends("a,2026-05-31,paid_off\nb,2026-05-31,open\n", name="may") == {}
    assert shop.month_ends("a,2026-06-30,open\nb,2026-06-30,open\n", name="june") == {"status_after_final": ("note", 1, 2)}
    # Delivered late, an exit before a month at which the account is there.
    assert shop.month_ends("b,2026-04-30,recalled\n", name="april") == {"status_after_final": ("note", 1, 2)}


def test_an_ordinary_history_is_silent(shop: Shop) -> None:
    assert shop.month_ends("a,2026-04-30,open\na,2026-05-31,open\na,2026-06-30,paid_off\nb,2026-06-30,open\n") == {}


def test_a_placement_that_begins_while_another_runs_is_told(shop: Shop) -> None:
    body = (
        "d1,a,u,2026-03-01,\nd2,a,v,2026-04-01,\nd3,b,u,2026-03-01,2026-04-01\nd4,b,v,2026-04-01,\nd5,c,u,2026-03-01,\nd6,c,v,2026-03-01,\n"
    )
    assert shop.placements(body) == {"overlapping_placements": ("note", 2, 3)}


def test_placements_of_the_book_are_looked_at_too(shop: Shop) -> None:
    assert shop.placements("d1,a,u,2026-03-01,2026-05-01\nd2,b,u,2026-03-01,2026-05-01\n", name="first") == {}
    later = "d3,a,v,2026-05-01,\nd4,b,v,2026-04-30,\n"
    assert shop.placements(later, name="second") == {"overlapping_placements": ("note", 1, 3)}


def test_a_delivery_of_which_nothing_is_left_is_judged_all_the_same(shop: Shop) -> None:
    assert "unreadable_date" in shop.month_ends("a,31/02,open\n", loss=1)
    assert "unreadable_date" in shop.placements("d1,a,u,31/02,\n", loss=1)
    done = shop.load("payment", PAYMENT, "key,account,amount,day,of\n", "p1,a,x,2026-06-01,p1\n", loss=1)
    assert "unreadable_number" in found(done)
