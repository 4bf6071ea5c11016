"""From when to when a row holds: in order, and of one thing never twice at a time."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import Load
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError
from hypothesis import given, strategies as st

from tests.book.payments_source import NOW, Payments

UNITS = """\
source: units
book: shop
currency: VND
location: {{variable: UNITS_DIR, default: {folder}}}
files: "unit*.csv"
format: {{kind: csv}}
allowed_loss: {loss}
{extra}
tables:
  unit:
    columns:
      unit_key: {{from: unit}}
      valid_from: {{from: begin}}
      valid_to: {{from: end}}
      name: {{from: unit}}
      unit_type: {{value: agency}}
"""


def units(payments: Payments, body: str, *, name: str = "unit.csv", loss: float = 1, extra: str = "") -> Load:
    payments.deliver("unit,begin,end\n" + body, name)
    path = payments.folder / "units.yml"
    path.write_text(UNITS.format(folder=payments.folder, loss=loss, extra=extra))
    return next(load for load in import_source(path, books=payments.books, now=NOW).loads if load.origin == name)


def found(load: Load) -> dict[str, tuple[str, int, int | None]]:
    return {each.check: (each.severity, each.rows, each.first_line) for each in load.findings}


@pytest.mark.parametrize(
    "body",
    [
        "a,2025-01-01,2026-01-01\na,2025-06-01,\n",
        "a,2025-01-01,\na,2026-01-01,\n",
        "a,2025-06-01,2025-07-01\na,2025-01-01,2026-01-01\n",
        "a,2025-01-01,2025-06-02\na,2025-06-01,2026-01-01\n",
    ],
)
def test_overlapping_intervals_of_a_unit_are_set_aside_both(payments: Payments, body: str) -> None:
    assert found(units(payments, body + "b,2025-01-01,\n")) == {"overlapping_intervals": ("quarantine", 2, 2)}
    with pytest.raises(
        DataError, match=r"line 2: the row \(valid_from\) .* lies in the interval of another row of the same unit_key.*\(2 rows\)"
    ):
        units(payments, body, loss=0)


@pytest.mark.parametrize(
    "body",
    [
        "a,2025-01-01,2025-06-01\na,2025-06-01,\n",
        "a,2025-01-01,2025-06-01\na,2025-09-01,2025-10-01\n",
        "a,2025-06-01,2025-06-01\na,2025-01-01,2026-01-01\n",
        "a,2025-01-01,\nb,2025-01-01,\n",
    ],
)
def test_intervals_that_follow_each_other_are_right(payments: Payments, body: str) -> None:
    assert not units(payments, body, loss=0).findings


def test_an_interval_that_overlaps_one_of_the_book_is_set_aside(payments: Payments) -> None:
    units(payments, "a,2025-01-01,\nb,2025-01-01,2025-06-01\n")
    later = units(payments, "a,2026-01-01,\nb,2025-06-01,\n", name="unit-2.csv")
    assert found(later) == {"overlapping_intervals": ("quarantine", 1, 2)}


def test_an_end_before_its_beginning_is_set_aside(payments: Payments) -> None:
    load = units(payments, "a,2025-06-01,2025-01-01\nb,2025-01-01,2025-01-01\n")
    assert found(load) == {"ends_before_it_begins": ("quarantine", 1, 2)}


def test_a_mapping_may_let_them_pass(payments: Payments) -> None:
    load = units(payments, "a,2025-01-01,\na,2026-01-01,\n", extra="checks: {overlapping_intervals: note}", loss=0)
    assert (found(load), load.rows_kept) == ({"overlapping_intervals": ("note", 2, 2)}, 2)


def test_every_dated_table_declares_its_intervals() -> None:
    ends = ("_to", "_end", "ends_on")
    undeclared = {
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if column.type == "date" and column.name.endswith(ends) and column.name not in {interval.end for interval in table.intervals}
    }
    # The month of a month end is one day, and a letter of authorisation may have run out.
    assert undeclared == {"month_end.month_end", "unit.authorised_to"}
    dated = [table for table in TABLES.values() if "valid_from" in table.column_names or table.name in ("legal_param", "unit_period")]
    assert all(table.intervals[0].of for table in dated)
    assert all(
        {interval.start, interval.end, *interval.of} <= set(table.column_names) for table in TABLES.values() for interval in table.intervals
    )


days = st.dates(date(2025, 1, 1), date(2025, 1, 20))


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), days, st.one_of(st.none(), st.integers(0, 9))),
        min_size=1,
        max_size=7,
        unique_by=lambda row: row[:2],
    )
)
def test_what_is_set_aside_is_what_shares_a_day_with_another(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    spans = [(unit, begin, None if length is None else begin + timedelta(days=length)) for unit, begin, length in rows]
    payments = Payments(Path(tmp_path_factory.mktemp("units")))
    load = units(payments, "".join(f"{unit},{begin},{end or ''}\n" for unit, begin, end in spans))
    held = [{begin + timedelta(days=n) for n in range(((end or date(2026, 1, 1)) - begin).days)} for _, begin, end in spans]
    meeting = sum(
        any(other != place and spans[other][0] == spans[place][0] and held[other] & held[place] for other in range(len(spans)))
        for place in range(len(spans))
    )
    assert load.rows_quarantined == meeting
