"""The traps every KPI falls into if computed naively: each test fails on the naive version."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import cash, flow
from collect_analysis.measures.attribution import attribution
from collect_analysis.measures.bases import BASES
from collect_analysis.measures.kpi_table import Facts, by_bucket, compared, kpi_table
from collect_analysis.measures.kpis import KPIS, dictionary, kpis
from collect_analysis.measures.kpis.credit import CREDIT
from collect_analysis.measures.landing import landing
from collect_analysis.measures.periods import KpiWindows, Period
from scipy import stats

from tests.small_book import book_of, frame_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
AS_OF = date(2026, 7, 31)


def table(tables: dict[str, str], *ids: str, grains: tuple[str, ...] = ("company", "unit")) -> pd.DataFrame:
    return kpi_table(Facts(book_of(tables, as_of=AS_OF), JUNE), grains=grains, ids=ids).set_index(["kpi", "scope_type", "scope_key"])


def rows_of(name: str, text: str) -> pd.DataFrame:
    """The rows of a table as a careless analyst would take them."""
    return frame_of(name, text)


# Trap 1
def test_a_rate_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    tables = {
        "month_end": "account_key, month_end, balance_minor\na, 2026-05-31, 100\nb, 2026-05-31, 900",
        "payment": "account_key, amount_minor, value_date\na, 50, 2026-06-05\nb, 90, 2026-06-05",
    }
    owed = rows_of("month_end", tables["month_end"]).set_index("account_key")["balance_minor"].astype(float)
    paid = rows_of("payment", tables["payment"]).set_index("account_key")["amount_minor"].astype(float)
    naive = (paid / owed).mean()
    assert naive == pytest.approx(0.3)
    assert table(tables, "R3").loc[("R3", "company", "all"), "value"] == pytest.approx(140 / 1000)


# Trap 2
def test_a_recall_does_not_shrink_the_denominator() -> None:
    stays = "account_key, month_end, status, unit_key\na, 2026-05-31, open, t1\nb, 2026-05-31, open, t1\na, 2026-06-30, open, t1\nb, 2026-06-30, {}, t1"
    paid = "account_key, amount_minor, value_date\na, 50, 2026-06-05"
    naive, values = [], []
    for status in ("open", "recalled", "written_off", "paid_off"):
        tables = {"month_end": stays.format(status), "payment": paid}
        ends = rows_of("month_end", tables["month_end"])
        still = ends[(ends["month_end"] == date(2026, 6, 30)) & (ends["status"] == "open")]
        naive.append(1 / len(still))
        values.append(table(tables, "R9").loc[("R9", "unit", "t1"), "value"])
    assert naive == [0.5, 1, 1, 1]
    assert values == [0.5, 0.5, 0.5, 0.5]


# Trap 3
def test_attributed_and_unattributed_cash_add_up_to_all_cash() -> None:
    contacts = "\n".join(
        ["account_key, local_ts, result, party_role, verified, unit_key"]
        + [f"a, 2026-06-{day:02d} 09:00:00, answered, debtor, true, t{1 + day % 3}" for day in range(1, 25)]
    )
    tables = {
        "contact": contacts,
        "payment": "account_key, amount_minor, value_date\na, 70, 2026-06-20\na, 11, 2026-06-28\nb, 30, 2026-06-20",
    }
    pairs = rows_of("payment", tables["payment"]).merge(
        rows_of("contact", contacts).drop_duplicates(["account_key", "unit_key"]), on="account_key"
    )
    naive = pairs.groupby("unit_key")["amount_minor"].sum()
    assert naive.sum() == 3 * 81
    facts = Facts(book_of(tables, as_of=AS_OF), JUNE)
    found = attribution(facts.book, facts["contacts"], JUNE, facts.windows)
    assert found["numerator"].sum() == 111
    # 20 June: the last contact was on the 20th (t3); 28 June: on the 24th (t1). Nobody spoke to b: its cash stays visible.
    assert found.set_index("unit_key")["numerator"].to_dict() == {"t3": 70, "t1": 11, "unattributed": 30}


# Trap 4
def test_a_batch_is_not_judged_on_the_accounts_still_with_the_agency() -> None:
    tables = {
        "decision": """account_key, unit_key, batch_id, from_date, to_date, end_reason, balance_minor
a, ag-a, m03, 2026-03-01, , , 100
b, ag-a, m03, 2026-03-01, 2026-05-01, return, 300""",
        "payment": "account_key, amount_minor, value_date\na, 40, 2026-04-01\nc, 1, 2026-06-01",
    }
    placed = rows_of("decision", tables["decision"])
    survivors = placed[placed["to_date"].isna()]
    naive = 40 / survivors["balance_minor"].sum()
    assert naive == 0.4
    assert table(tables, "R2").loc[("R2", "unit", "ag-a"), "value"] == 0.1


# Trap 5
def test_batches_are_compared_at_one_age_only() -> None:
    tables = {
        "decision": "account_key, unit_key, batch_id, from_date, balance_minor\na, ag-a, m03, 2026-03-01, 100\nb, ag-b, m01, 2026-01-01, 100",
        "payment": "account_key, amount_minor, value_date\na, 10, 2026-06-30\nb, 10, 2026-02-01\nb, 60, 2026-06-01",
    }
    pairs = rows_of("decision", tables["decision"]).merge(rows_of("payment", tables["payment"]), on="account_key")
    naive = pairs.groupby("unit_key")["amount_minor"].sum() / 100
    assert naive.to_dict() == {"ag-a": 0.1, "ag-b": 0.7}
    found = table(tables, "R2")
    assert found.loc[("R2", "unit", "ag-a"), "value"] == 0.1
    assert ("R2", "unit", "ag-b") not in found.index


# Trap 6
def test_no_join_multiplies_money() -> None:
    tables = {
        "account": "account_key, customer_key\na, c1\nb, c1",
        "month_end": "account_key, month_end, unit_key\na, 2026-05-31, t1\nb, 2026-05-31, t1",
        "payment": "account_key, amount_minor, value_date\na, 10, 2026-06-05\na, 20, 2026-06-06\nb, 30, 2026-06-07",
        "contact": "account_key, local_ts\na, 2026-06-01 09:00:00\na, 2026-06-02 09:00:00",
        "promise": "account_key, made_ts, due_date, amount_minor\na, 2026-06-01 09:00:00, 2026-06-09, 10\na, 2026-06-02 09:00:00, 2026-06-09, 10",
        # The same unit twice on one day: a fault of the source that must not double anything.
        "unit": "unit_key, valid_from, sub_function\nt1, 2020-01-01, tele\nt1, 2021-01-01, field",
    }
    joined = rows_of("payment", tables["payment"])
    for name in ("month_end", "contact", "promise"):
        joined = joined.merge(rows_of(name, tables[name]), on="account_key", how="left", suffixes=("", f"_{name}"))
    naive = joined.merge(rows_of("unit", tables["unit"]), on="unit_key", how="left", suffixes=("", "_u"))["amount_minor"].sum()
    assert naive == (30 * 2 * 2 + 30) * 2
    by_debtor = rows_of("payment", tables["payment"]).merge(rows_of("account", tables["account"]), on="account_key")
    by_debtor = rows_of("account", tables["account"]).merge(by_debtor, on="customer_key")["amount_minor"].sum()
    assert by_debtor == 120
    found = table(tables, "R1", "C2", grains=("company", "portfolio", "sub_function", "unit"))
    assert (found.loc["R1"].groupby("scope_type")["value"].sum() == 60).all()
    assert found.loc[("C2", "company", "all"), "numerator"] == 2


# Trap 7
def test_what_is_not_eligible_or_taken_back_is_no_cash_and_repeats_are_told() -> None:
    payments = """payment_key, account_key, amount_minor, value_date, eligible, reversal_of, reference
p1, a, 10, 2026-06-05, true, , r1
p2, a, 10, 2026-06-05, true, , r1
p3, a, 10, 2026-06-05, false, , r1
p4, a, 99, 2026-06-06, true, , r2
p5, a, -99, 2026-07-02, true, p4, r2"""
    posted = rows_of("payment", payments)
    naive = posted.loc[[day <= JUNE.end for day in posted["value_date"]], "amount_minor"].sum()
    assert naive == 129
    book = book_of({"month_end": "account_key, month_end\na, 2026-05-31", "payment": payments}, as_of=AS_OF)
    assert kpi_table(Facts(book, JUNE), grains=("company",), ids=["R1"])["value"].tolist() == [20]
    again = cash.repeated_postings(book, start=JUNE.start, end=JUNE.end)
    assert again.to_dict("records") == [{"rows": 1, "amount_minor": 10}]
    kinds = cash.postings(book, start=JUNE.start, end=JUNE.end).set_index("kind")
    assert kinds["rows"].to_dict() == {"counted": 3, "not_eligible": 1, "taken_back": 1}


# Trap 7
def test_a_webhook_sent_twice_does_not_inflate_cash_by_a_sixth() -> None:
    lines = [f"p{number}, a, 10, 2026-06-{number:02d}, true, r{number}" for number in range(1, 7)]
    payments = "\n".join(
        ["payment_key, account_key, amount_minor, value_date, eligible, reference", *lines, "p7, a, 10, 2026-06-06, false, r6"]
    )
    naive = rows_of("payment", payments)["amount_minor"].sum()
    found = table({"month_end": "account_key, month_end\na, 2026-05-31", "payment": payments}, "R1").loc[("R1", "company", "all"), "value"]
    assert naive / found - 1 == pytest.approx(0.167, abs=5e-4)
    assert found == 60


# Trap 8
def test_days_and_months_are_the_debtors_own() -> None:
    # 23:59:59 on 30 June for the debtor is 16:59:59 UTC; half past midnight on 1 July for the debtor is still June in UTC.
    contacts = """account_key, local_ts, ts_utc
a, 2026-06-30 23:59:59, 2026-06-30 16:59:59
a, 2026-07-01 00:30:00, 2026-06-30 17:30:00
a, 2026-07-01 01:30:00, 2026-06-30 18:30:00
a, 2026-06-01 00:00:00, 2026-05-31 17:00:00"""
    utc = rows_of("contact", contacts)["ts_utc"]
    naive = int(((utc >= "2026-06-01") & (utc < "2026-07-01")).sum())
    assert naive == 3
    assert table({"contact": contacts}, "C3").loc[("C3", "company", "all"), "denominator"] == 2


# Trap 9
def test_restructuring_is_no_cure() -> None:
    ends = """account_key, month_end, bucket, reaged
a, 2026-05-31, 3, false
a, 2026-06-30, 0, true
b, 2026-05-31, 3, false
b, 2026-06-30, 0, false"""
    close = rows_of("month_end", ends).groupby("account_key")["bucket"].last()
    naive = (close == 0).mean()
    assert naive == 1
    found = table({"month_end": ends}, "F3", "F5", "F5b")
    values = {kpi: found.loc[(kpi, "company", "all"), "value"] for kpi in ("F3", "F5", "F5b")}
    assert values == {"F3": 0.5, "F5": 0.5, "F5b": 1.0}


# Trap 10
@pytest.mark.parametrize(("start", "end"), [("2026-06-02", "2026-06-30"), ("2026-06-01", "2026-06-29"), ("2026-07-01", "2026-06-30")])
def test_a_partial_month_is_refused(start: str, end: str) -> None:
    with pytest.raises(ParameterError, match="the period"):
        Period(date.fromisoformat(start), date.fromisoformat(end))


# Trap 10
def test_half_a_month_does_not_look_like_a_bad_month() -> None:
    money = "\n".join(
        ["account_key, amount_minor, value_date", *(f"a, 10, 2026-{month:02d}-{day:02d}" for month in (5, 6) for day in (10, 25))]
    )
    known = date(2026, 6, 15)
    book = book_of({"payment": money}, as_of=known)
    paid = rows_of("payment", money)
    paid = paid[[day <= known for day in paid["value_date"]]]
    months = paid.groupby([day.month for day in paid["value_date"]])["amount_minor"].sum()
    naive = months[6] / months[5]
    assert naive == 0.5
    (row,) = landing(book, JUNE, KpiWindows()).to_dict("records")
    assert row["value"] == 20


# Trap 11
def test_another_window_is_another_definition() -> None:
    before, after = KpiWindows(), KpiWindows(kept_threshold=0.8)
    tables = {
        "promise": "account_key, made_ts, due_date, amount_minor\na, 2026-06-01 09:00:00, 2026-06-05, 100",
        "payment": "account_key, amount_minor, value_date\na, 85, 2026-06-05",
    }
    book = book_of(tables, as_of=AS_OF)
    told = [kpi_table(Facts(book, JUNE, windows=windows), grains=("company",), ids=["C8"]).iloc[0] for windows in (before, after)]
    naive = [row["kpi"] for row in told]
    # By name the figure rose from 0 to 100 %; by definition it is another figure.
    assert naive == ["C8", "C8"]
    assert [row["value"] for row in told] == [0, 1]
    assert told[0]["definition"] != told[1]["definition"]
    assert KPIS["R1"].definition(before) == KPIS["R1"].definition(after)
    assert len({kpi.definition(before) for kpi in kpis()}) == len(KPIS)


def test_one_payment_keeps_one_promise() -> None:
    tables = {
        "promise": "account_key, made_ts, due_date, amount_minor\na, 2026-06-01 09:00:00, 2026-06-05, 100\na, 2026-06-02 09:00:00, 2026-06-06, 100",
        "payment": "account_key, amount_minor, value_date\na, 100, 2026-06-04",
    }
    pairs = rows_of("promise", tables["promise"]).merge(rows_of("payment", tables["payment"]), on="account_key", suffixes=("", "_paid"))
    naive = (pairs["amount_minor_paid"] >= pairs["amount_minor"]).mean()
    assert naive == 1
    assert table(tables, "C8").loc[("C8", "company", "all"), "value"] == 0.5


def test_delay_does_not_improve_the_rate_in_time() -> None:
    tickets = """ticket_key, opened_ts, due_ts, closed_ts
k1, 2026-06-01 09:00:00, 2026-06-02 09:00:00, 2026-06-02 08:00:00
k2, 2026-06-01 09:00:00, 2026-06-02 09:00:00, """
    raw = rows_of("ticket", tickets).assign(account_key="a")
    closed = raw[raw["closed_ts"].notna()]
    naive = (closed["closed_ts"] <= closed["due_ts"]).mean()
    assert naive == 1
    tables = {"month_end": "account_key, month_end\na, 2026-05-31", "ticket": tickets}
    assert table(tables, "Q6").loc[("Q6", "company", "all"), "value"] == 0.5


def test_roll_forward_comes_from_pairs_not_from_bucket_totals() -> None:
    ends = """account_key, month_end, bucket
a, 2026-05-31, 1
a, 2026-06-30, 0
b, 2026-05-31, 0
b, 2026-06-30, 2"""
    totals = rows_of("month_end", ends).groupby(["month_end", "bucket"]).size()
    naive = totals[(date(2026, 6, 30), 2)] / totals[(date(2026, 5, 31), 1)]
    assert naive == 1
    assert table({"month_end": ends}, "F1").loc[("F1", "company", "all"), "value"] == 0


def test_every_trap_of_the_reference_has_a_test_with_the_naive_number_beside() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    marked = {int(number) for number in re.findall(r"^# Trap (\d+)$", source, flags=re.MULTILINE)}
    assert marked == set(range(1, 12))


def test_the_interval_counts_debtors_not_events() -> None:
    lines = [f"{debtor}, 2026-06-{day:02d} 10:00:00, {result}" for debtor, result in zip("abcd", ("answered", "no_answer") * 2, strict=True)
             for day in range(1, 26)]  # fmt: skip
    row = table({"contact": "\n".join(["account_key, local_ts, result", *lines])}, "C3").loc[("C3", "company", "all")]
    y, x = np.array([25.0, 0, 25, 0]), np.full(4, 25.0)
    share = y.sum() / x.sum()
    error = np.sqrt(((y - share * x) ** 2).sum() / x.sum() ** 2 * 4 / 3)
    half = stats.norm.ppf(0.975) * error
    assert row["value"] == 0.5
    # 0.5 +/- 0.57, cut to what a share can be; taking the hundred attempts for independent would give +/- 0.1.
    assert half == pytest.approx(0.5658, abs=1e-4)
    assert (row["low"], row["high"]) == (0, 1)


def test_a_reversal_that_is_not_known_yet_changes_nothing() -> None:
    payments = "payment_key, account_key, amount_minor, value_date, reversal_of\np1, a, 99, 2026-06-06,\np2, a, -99, 2026-07-02, p1"
    tables = {"month_end": "account_key, month_end\na, 2026-05-31", "payment": payments}
    known = [
        kpi_table(Facts(book_of(tables, as_of=day), JUNE), grains=("company",), ids=["R1"])["value"].item()
        for day in (date(2026, 6, 30), date(2026, 7, 2))
    ]
    assert known == [99, 0]


def test_an_account_without_a_row_at_the_next_month_end_breaks_the_identity() -> None:
    ends = """account_key, month_end, bucket
a, 2026-05-31, 1
a, 2026-06-30, 2
b, 2026-05-31, 1"""
    whole = flow.identity_gaps(table({"month_end": ends}, *IDENTITY).reset_index())
    assert whole[["version", "scope_type", "counted", "opening", "gap"]].to_dict("records")[0] == {
        "version": "count", "scope_type": "company", "counted": 1, "opening": 2, "gap": 1
    }  # fmt: skip


IDENTITY = tuple(f"{kpi}{version}" for kpi in flow.IDENTITY for version in ("", "-balance"))


def test_flow_rates_add_up_to_one_in_every_scope_for_any_movement() -> None:
    rng = np.random.default_rng(7)
    rows = ["account_key, month_end, bucket, balance_minor, status, unit_key, reaged"]
    for number in range(300):
        opening, status = rng.integers(0, 6), rng.choice(["open", "open", "open", "paid_off", "sold", "recalled", "written_off", "settled"])
        unit, reaged = f"t{number % 3}", str(bool(rng.random() < 0.2)).lower()
        rows.append(f"a{number}, 2026-05-31, {opening}, {rng.integers(1, 10**9)}, open, {unit}, false")
        rows.append(f"a{number}, 2026-06-30, {rng.integers(0, 6)}, {rng.integers(0, 10**9)}, {status}, {unit}, {reaged}")
    facts = Facts(book_of({"month_end": "\n".join(rows)}, as_of=AS_OF), JUNE)
    found = kpi_table(facts, grains=("company", "unit"), ids=IDENTITY)
    assert flow.identity_gaps(found).empty
    by_scope = found[~found["kpi"].str.endswith("balance")].groupby("scope_key")["value"].sum()
    assert by_scope.to_list() == pytest.approx([1, 1, 1, 1])
    buckets = by_bucket(facts, top_bucket=4)
    sums = buckets[buckets["kpi"].isin(flow.IDENTITY)].groupby("scope_key")[["numerator"]].sum()["numerator"]
    assert sums.to_dict() == buckets[buckets["kpi"] == "F1"].set_index("scope_key")["denominator"].to_dict()


def test_moves_within_the_last_bucket_are_no_rolls_and_its_roll_rate_is_undefined() -> None:
    ends = """account_key, month_end, bucket
a, 2026-05-31, 3
b, 2026-05-31, 4
c, 2026-05-31, 5
d, 2026-05-31, 5
a, 2026-06-30, 4
b, 2026-06-30, 5
c, 2026-06-30, 4
d, 2026-06-30, 2
"""
    table = by_bucket(Facts(book_of({"month_end": ends}, as_of=AS_OF), JUNE), top_bucket=4).set_index(["kpi", "scope_key"])
    # From 4 and beyond: b went deeper and c less deep within it, d came out of it.
    assert table.loc[("F1", "3"), "value"] == 1
    assert table.loc[("F3", "4"), "numerator"] == 2
    assert np.isnan(table.loc[("F1", "4"), "value"])
    assert np.isnan(table.loc[("F2", "4"), "value"])
    assert table.loc[("F1", "4"), "note"] == "the last bucket is open-ended: no worse one is told apart"


def test_a_quarter_pools_its_months() -> None:
    ends = "account_key, month_end, bucket\n" + "\n".join(
        f"a, {day}, {bucket}" for day, bucket in zip(("2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"), (1, 2, 2, 3), strict=True)
    )
    quarter = Period(date(2026, 4, 1), date(2026, 6, 30))
    found = kpi_table(Facts(book_of({"month_end": ends}, as_of=AS_OF), quarter), grains=("company",), ids=["F1"])
    assert found[["numerator", "denominator"]].to_dict("records") == [{"numerator": 2, "denominator": 3}]


def test_scopes_add_up_to_the_company_for_money_and_counts(sample_book) -> None:
    from collect_analysis.book.store import open_book

    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    found = kpi_table(
        Facts(book, JUNE), grains=("company", "portfolio", "sub_function", "unit"), ids=["R1", "R9", "C1", "C4", "C8", "C12", "F1"]
    )
    for column in ("numerator", "denominator"):
        sums = found.groupby(["kpi", "scope_type"])[column].sum().unstack()  # noqa: PD010
        assert (sums.sub(sums["company"], axis=0) == 0).all(axis=None)


def test_the_period_before_is_measured_by_the_same_definition(sample_book) -> None:
    from collect_analysis.book.store import open_book

    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    both = compared(Facts(book, JUNE), grains=("company", "unit"), ids=["R1", "C8", "F1"])
    alone = kpi_table(Facts(book, JUNE.previous), grains=("company", "unit"), ids=["R1", "C8", "F1"])
    merged = both.merge(alone, on=["kpi", "scope_type", "scope_key"], suffixes=("", "_alone"))
    pd.testing.assert_series_equal(merged["previous"], merged["value_alone"], check_names=False)
    assert (merged["definition"] == merged["definition_alone"]).all()


def test_a_kpi_without_its_tables_says_which_are_missing() -> None:
    row = table({"month_end": "account_key, month_end\na, 2026-05-31"}, "C8").loc[("C8", "company", "all")]
    assert np.isnan(row["value"])
    assert row["note"] == "the book has no rows in promise, payment"


def test_an_unknown_kpi_or_window_is_refused() -> None:
    with pytest.raises(ParameterError, match="unknown KPI C99"):
        kpis("C99")
    with pytest.raises(DataError) as error:
        KpiWindows.of({"grace_days": "3", "attempt_chanels": ["call"], "attempt_channels": ["call"]})
    assert len(error.value.problems) == 2


def test_the_dictionary_is_complete_in_both_languages() -> None:
    english, vietnamese = dictionary(KpiWindows()), dictionary(KpiWindows(), lang="vi")
    assert (english[["name", "formula", "population", "numerator", "denominator", "source"]] != "").all(axis=None)
    assert (english["name"] != vietnamese["name"]).all()
    assert (english["formula"] != vietnamese["formula"]).all()
    assert english["definition"].tolist() == vietnamese["definition"].tolist()


def test_both_credits_of_an_account_that_moves_add_up_and_no_ratio_mixes_them() -> None:
    """The account of b was with ag-x to 14 June and with ag-y from 20 June; a moved from t1 to t2 within June."""
    tables = {
        "month_end": """account_key, month_end, unit_key, bucket, balance_minor
a, 2026-05-31, t1, 1, 1000
a, 2026-06-30, t2, 2, 1100
b, 2026-05-31, ag-x, 3, 2000
b, 2026-06-30, ag-y, 4, 2200""",
        "decision": """account_key, unit_key, from_date, to_date, balance_minor
b, ag-x, 2026-04-01, 2026-06-15, 2000
b, ag-y, 2026-06-20, , 2000""",
        "payment": "account_key, amount_minor, value_date\na, 30, 2026-06-10\nb, 10, 2026-06-14\nb, 50, 2026-06-25",
        "unit": "unit_key, sub_function\nt1, tele\nt2, field\nag-x, agency\nag-y, agency",
    }
    found = table(tables, "R1", "R1-day", "R9", "R3", "F1", "F2", grains=("company", "sub_function", "unit"))
    values = found["value"].dropna()
    for kpi, units in {"R1": {"t1": 30, "ag-x": 60}, "R1-day": {"t1": 30, "ag-x": 10, "ag-y": 50}}.items():
        told = values.loc[kpi]
        assert {key: value for key, value in told.loc["unit"].items() if value} == units
        assert told.groupby("scope_type").sum().tolist() == [90, 90, 90]
    # Who answers for the denominator answers for the numerator: no unit has one without the other.
    for kpi, units in {"F1": ["ag-x", "t1"], "F2": ["ag-x", "t1"], "R3": ["ag-x", "t1"], "R9": ["ag-x", "t1"]}.items():
        told = found.loc[kpi].loc["unit"]
        assert sorted(told.index[told["denominator"] > 0]) == sorted(told.index[told["numerator"] != 0]) == units
    assert found.loc[("F2", "unit", "t1"), ["numerator", "denominator"]].tolist() == [1100, 1000]


def test_the_record_of_every_kpi_says_to_whom_it_is_credited() -> None:
    assert set(CREDIT) == set(BASES)
    for lang in ("en", "vi"):
        told = dictionary(KpiWindows(), lang=lang).set_index("kpi")["credit"]
        assert (told.str.len() > 0).all()
        assert told["R1"] != told["R1-day"]
    assert told["R1"] == told["R3"] == told["R9"] == told["R10"]
