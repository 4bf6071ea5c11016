"""Every table of the sample shop keeps the contract: types, required cells, codes, ranges, keys, references, and nothing after as_of."""

from datetime import date

import duckdb
import pyarrow.parquet as pq
import pytest
from collect_analysis.book.arrow_types import ARROW
from collect_analysis.book.schema import ENGINE_TYPES
from collect_analysis.book.store import open_book, read_manifest
from collect_analysis.book.tables import TABLES

AS_OF = date(2026, 6, 30)
# What the shop has no use for: states are given as month ends, and the coarse tables are for shops without accounts.
EMPTY = {"state", "unit_period", "cohort"}
FILLED = sorted(set(TABLES) - EMPTY)
REFERENCES = [
    *[
        (table, "account_key", "account")
        for table in ("month_end", "payment", "contact", "promise", "decision", "arrangement", "legal_stage")
    ],
    *[
        (table, "unit_key", "unit")
        for table in ("month_end", "contact", "promise", "decision", "officer", "unit_day", "ticket", "qa", "ruleset", "invoice_line")
    ],
    *[(table, "officer_key", "officer") for table in ("month_end", "contact", "promise", "unit_day", "qa", "training")],
    ("ticket", "account_key", "account"),
    ("unit", "parent_key", "unit"),
    ("unit", "tariff_id", "tariff"),
    ("promise", "event_key", "contact"),
    ("qa", "event_key", "contact"),
    ("payment", "reversal_of", "payment"),
    ("invoice_line", "payment_key", "payment"),
    ("decision", "experiment_id", "experiment"),
    ("decision", "ruleset_id", "ruleset"),
]
KEY_OF = {"payment": "payment_key", "contact": "event_key", "experiment": "experiment_id", "ruleset": "ruleset_id", "tariff": "tariff_id"}


def source(folder, table: str) -> str:
    return f"read_parquet('{folder}/{table}/*.parquet')"


def ask(text: str):
    return duckdb.sql(text).fetchall()


def test_the_shop_fills_every_table_it_has_a_use_for(folder) -> None:
    manifest = read_manifest(folder)
    assert sorted(load.table for load in manifest.active_loads) == FILLED
    assert all(load.rows_kept > 0 for load in manifest.active_loads)
    assert manifest.synthetic
    assert manifest.currency == "VND"
    assert all("synthetic" in load.origin for load in manifest.active_loads)


@pytest.mark.parametrize("table", FILLED)
def test_a_table_has_the_declared_columns_and_types(folder, table: str) -> None:
    (path,) = (folder / table).glob("*.parquet")
    schema = pq.read_schema(path)
    # What few shops record may be absent: the engine reads such a column as empty.
    present = [column for column in TABLES[table].columns if column.required or column.name in schema.names]
    assert schema.names == [column.name for column in present]
    wrong = [column.name for column in present if schema.field(column.name).type != ARROW[ENGINE_TYPES[column.type]]]
    assert not wrong


@pytest.mark.parametrize("table", FILLED)
def test_a_table_keeps_required_cells_codes_and_ranges(folder, table: str) -> None:
    (path,) = (folder / table).glob("*.parquet")
    written, checks = set(pq.read_schema(path).names), {}
    for column in (column for column in TABLES[table].columns if column.name in written):
        name = column.name
        if column.required:
            checks[f"{name} empty"] = f"{name} IS NULL"
        if column.allowed:
            checks[f"{name} unknown"] = f"{name} NOT IN ({', '.join(repr(code) for code in column.allowed)})"
        if column.low is not None:
            checks[f"{name} low"] = f"{name} < {column.low}"
        if column.high is not None:
            checks[f"{name} high"] = f"{name} > {column.high}"
    counts = ask("SELECT " + ", ".join(f"count(*) FILTER ({rule})" for rule in checks.values()) + f" FROM {source(folder, table)}")
    assert not {what: count for what, count in zip(checks, counts[0], strict=True) if count}


@pytest.mark.parametrize("table", FILLED)
def test_the_key_of_a_table_is_unique(folder, table: str) -> None:
    keys = ", ".join(TABLES[table].key)
    assert ask(f"SELECT {keys} FROM {source(folder, table)} GROUP BY {keys} HAVING count(*) > 1 LIMIT 3") == []


@pytest.mark.parametrize(("table", "column", "target"), REFERENCES)
def test_a_reference_points_at_something(folder, table: str, column: str, target: str) -> None:
    there = KEY_OF.get(target, f"{target}_key")
    lost = f"SELECT count(*) FROM {source(folder, table)} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {there} FROM {source(folder, target)})"
    assert ask(lost) == [(0,)]


@pytest.mark.parametrize("table", [name for name in FILLED if TABLES[name].known_on])
def test_nothing_is_known_after_as_of(folder, table: str) -> None:
    assert ask(f"SELECT max({TABLES[table].known_on}::date) <= DATE '{AS_OF}' FROM {source(folder, table)}") == [(True,)]


def test_a_contact_names_the_debtor_of_its_account(folder) -> None:
    wrong = f"SELECT count(*) FROM {source(folder, 'contact')} c JOIN {source(folder, 'account')} a USING (account_key) WHERE c.customer_key <> a.customer_key"
    assert ask(wrong) == [(0,)]


def test_accounts_live_before_they_pay_are_called_or_placed(folder) -> None:
    account = source(folder, "account")
    for table, day in (("payment", "value_date"), ("contact", "local_ts::date"), ("promise", "made_ts::date"), ("decision", "from_date")):
        early = f"SELECT count(*) FROM {source(folder, table)} JOIN {account} USING (account_key) WHERE {day} < open_date"
        assert ask(early) == [(0,)], table


def test_an_exit_is_final_and_every_month_from_entry_to_exit_has_one_row(folder) -> None:
    month_end = source(folder, "month_end")
    rows = ask(f"""
        SELECT count(*) FILTER (status <> 'open' AND later IS NOT NULL), count(*) FILTER (status = 'open' AND later IS NULL AND month_end < DATE '{AS_OF}'),
               count(*) FILTER (later IS NOT NULL AND later <> last_day(month_end + INTERVAL 1 DAY))
        FROM (SELECT *, lead(month_end) OVER (PARTITION BY account_key ORDER BY month_end) AS later FROM {month_end})""")
    assert rows == [(0, 0, 0)]
    entered = f"""
        SELECT count(*) FROM (SELECT account_key, min(month_end) AS first FROM {month_end} GROUP BY 1) JOIN {source(folder, "account")} USING (account_key)
        WHERE first <> greatest(last_day(open_date), DATE '2024-06-30')"""
    assert ask(entered) == [(0,)]


def test_the_balance_rolls_forward_by_what_was_paid_waived_and_charged(folder) -> None:
    # Between two month ends of an open debt: close - open + paid = interest and fees, which are never negative.
    rows = ask(f"""
        WITH paid AS (
            SELECT account_key, last_day(value_date) AS month_end, sum(amount_minor) AS paid FROM {source(folder, "payment")} WHERE eligible GROUP BY ALL
        ), months AS (
            SELECT *, lag(balance_minor) OVER w AS opening, lag(dpd) OVER w AS before FROM {source(folder, "month_end")}
            WINDOW w AS (PARTITION BY account_key ORDER BY month_end)
        )
        SELECT count(*) FILTER (charged < 0), count(*) FILTER (charged > 0 AND dpd > 180), max(charged / opening), count(*)
        FROM (SELECT *, balance_minor - opening + coalesce(paid, 0) AS charged FROM months LEFT JOIN paid USING (account_key, month_end)
              WHERE status = 'open' AND opening IS NOT NULL)""")
    negative, beyond, most, count = rows[0]
    assert (negative, beyond) == (0, 0)
    assert most < 0.08
    assert count > 100_000


def test_days_past_due_grow_by_the_days_that_passed_or_fall_for_a_reason(folder) -> None:
    rows = ask(f"""
        WITH paid AS (SELECT DISTINCT account_key, last_day(value_date) AS month_end FROM {source(folder, "payment")} WHERE eligible AND amount_minor > 0)
        SELECT count(*) FILTER (dpd > before + date_diff('day', earlier, month_end)), count(*) FILTER (dpd < before AND NOT reaged AND paid.account_key IS NULL)
        FROM (SELECT *, lag(dpd) OVER w AS before, lag(month_end) OVER w AS earlier FROM {source(folder, "month_end")}
              WINDOW w AS (PARTITION BY account_key ORDER BY month_end)) m LEFT JOIN paid USING (account_key, month_end)
        WHERE before > 0""")
    assert rows == [(0, 0)]


def test_contacts_and_payments_lie_by_account_then_time(folder) -> None:
    for table, column in (("contact", "ts_utc"), ("payment", "value_date")):
        rows = pq.read_table(next((folder / table).glob("*.parquet")), columns=["account_key", column]).to_pandas()
        again = rows.sort_values(["account_key", column], kind="stable")
        assert (again.index == rows.index).all(), table


def test_the_book_opens_and_cuts_at_as_of(sample_book) -> None:
    book = open_book("sample", as_of=date(2026, 3, 31), folder=sample_book)
    payment = book.table("payment")
    assert book.scalar(payment.value_date.max()) <= date(2026, 3, 31)
    assert book.manifest.synthetic


def test_the_calendar_knows_the_lunar_year_and_the_public_holidays(folder) -> None:
    day = f"SELECT working_day, holiday, tet_offset, salary_window FROM {source(folder, 'calendar')} WHERE date = DATE "
    assert ask(day + "'2025-01-29'") == [(False, "tet", 0, False)]
    assert ask(day + "'2026-02-16'") == [(False, "tet", -1, False)]
    assert ask(day + "'2026-04-30'") == [(False, "reunification", 72, False)]
    assert ask(day + "'2025-04-07'") == [(False, "hung_kings", 68, True)]
    assert ask(day + "'2026-06-05'") == [(True, None, 108, True)]
    assert ask(day + "'2026-06-06'") == [(False, None, 109, True)]
    assert ask(
        f"SELECT count(*) FROM {source(folder, 'calendar')} WHERE date BETWEEN DATE '2025-01-01' AND DATE '2025-12-31' AND working_day"
    ) == [(251,)]


def test_the_law_is_given_with_limits_source_and_the_day_it_was_checked(folder) -> None:
    rows = ask(
        f"SELECT rule_id, limit_value, window_from, window_to, verified_on <= DATE '{AS_OF}' FROM {source(folder, 'legal_param')} ORDER BY rule_id"
    )
    assert rows == [
        ("FREQ_DAY", 5.0, None, None, True),
        ("HOURS", None, "07:00:00", "21:00:00", True),
        ("PARTY", None, None, None, True),
        ("RECALL", None, None, None, True),
    ]
    assert ask(f"SELECT count(*) FROM {source(folder, 'legal_param')} WHERE source NOT LIKE '%43/2016/TT-NHNN%'") == [(0,)]
