"""The traps every KPI falls into if computed naively: each test fails on the naive version."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import cash, flow
from collect_analysis.measures.attribution import attribution
from collect_analysis.measures.kpi_table import Facts, by_bucket, compared, kpi_table
from collect_analysis.measures.kpis import KPIS, dictionary, kpis
from collect_analysis.measures.periods import KpiWindows, Period
from scipy import stats

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
AS_OF = date(2026, 7, 31)


def table(tables: dict[str, str], *ids: str, grains: tuple[str, ...] = ("company", "unit")) -> pd.DataFrame:
    return kpi_table(Facts(book_of(tables, as_of=AS_OF), JUNE), grains=grains, ids=ids).set_index(["kpi", "scope_type", "scope_key"])


def test_a_rate_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    tables = {
        "month_end": "account_key, month_end, balance_minor\na, 2026-05-31, 100\nb, 2026-05-31, 900",
        "payment": "account_key, amount_minor, value_date\na, 50, 2026-06-05\nb, 90, 2026-06-05",
    }
    assert table(tables, "R3").loc[("R3", "company", "all"), "value"] == pytest.approx(140 / 1000)


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


def test_a_recall_does_not_shrink_the_denominator() -> None:
    stays = "account_key, month_end, status, unit_key\na, 2026-05-31, open, t1\nb, 2026-05-31, open, t1\na, 2026-06-30, open, t1\nb, 2026-06-30, {}, t1"
    paid = "account_key, amount_minor, value_date\na, 50, 2026-06-05"
    values = [
        table({"month_end": stays.format(status), "payment": paid}, "R9").loc[("R9", "unit", "t1"), "value"]
        for status in ("open", "recalled", "written_off", "paid_off")
    ]
    assert values == [0.5, 0.5, 0.5, 0.5]


def test_attributed_and_unattributed_cash_add_up_to_all_cash() -> None:
    contacts = "\n".join(
        ["account_key, local_ts, result, party_role, verified, unit_key"]
        + [f"a, 2026-06-{day:02d} 09:00:00, answered, debtor, true, t{1 + day % 3}" for day in range(1, 25)]
    )
    tables = {
        "contact": contacts,
        "payment": "account_key, amount_minor, value_date\na, 70, 2026-06-20\na, 11, 2026-06-28\nb, 30, 2026-06-20",
    }
    facts = Facts(book_of(tables, as_of=AS_OF), JUNE)
    found = attribution(facts.book, facts.contacts, JUNE, facts.windows)
    assert found["numerator"].sum() == 111
    assert found.set_index("unit_key").loc["unattributed", "numerator"] == 30
    # 20 June: the last contact was on the 20th (t3); 28 June: on the 24th (t1). A join on all contacts would give 24 x the money.
    assert found.set_index("unit_key")["numerator"].to_dict() == {"t3": 70, "t1": 11, "unattributed": 30}


def test_batches_are_compared_at_one_age_only() -> None:
    tables = {
        "decision": "account_key, unit_key, batch_id, from_date, balance_minor\na, ag-a, m03, 2026-03-01, 100\nb, ag-b, m01, 2026-01-01, 100",
        "payment": "account_key, amount_minor, value_date\na, 10, 2026-06-30\nb, 10, 2026-02-01\nb, 60, 2026-06-01",
    }
    found = table(tables, "R2")
    assert found.loc[("R2", "unit", "ag-a"), "value"] == 0.1
    assert ("R2", "unit", "ag-b") not in found.index


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
    found = table(tables, "R1", "C2", grains=("company", "portfolio", "sub_function", "unit"))
    assert (found.loc["R1"].groupby("scope_type")["value"].sum() == 60).all()
    assert found.loc[("C2", "company", "all"), "numerator"] == 2


def test_what_is_not_eligible_or_taken_back_is_no_cash_and_repeats_are_told() -> None:
    payments = """payment_key, account_key, amount_minor, value_date, eligible, reversal_of, reference
p1, a, 10, 2026-06-05, true, , r1
p2, a, 10, 2026-06-05, true, , r1
p3, a, 10, 2026-06-05, false, , r1
p4, a, 99, 2026-06-06, true, , r2
p5, a, -99, 2026-07-02, true, p4, r2"""
    book = book_of({"month_end": "account_key, month_end\na, 2026-05-31", "payment": payments}, as_of=AS_OF)
    assert kpi_table(Facts(book, JUNE), grains=("company",), ids=["R1"])["value"].tolist() == [20]
    again = cash.repeated_postings(book, start=JUNE.start, end=JUNE.end)
    assert again.to_dict("records") == [{"rows": 1, "amount_minor": 10}]
    kinds = cash.postings(book, start=JUNE.start, end=JUNE.end).set_index("kind")
    assert kinds["rows"].to_dict() == {"counted": 2, "not_eligible": 1, "reversed": 1}


def test_a_reversal_that_is_not_known_yet_changes_nothing() -> None:
    payments = "payment_key, account_key, amount_minor, value_date, reversal_of\np1, a, 99, 2026-06-06,\np2, a, -99, 2026-07-02, p1"
    tables = {"month_end": "account_key, month_end\na, 2026-05-31", "payment": payments}
    known = [
        kpi_table(Facts(book_of(tables, as_of=day), JUNE), grains=("company",), ids=["R1"])["value"].item()
        for day in (date(2026, 6, 30), date(2026, 7, 2))
    ]
    assert known == [99, 0]


def test_days_and_months_are_the_debtors_own() -> None:
    # 23:59:59 on 30 June for the debtor is 16:59:59 UTC; half past midnight on 1 July for the debtor is still June in UTC.
    contacts = """account_key, local_ts, ts_utc
a, 2026-06-30 23:59:59, 2026-06-30 16:59:59
a, 2026-07-01 00:30:00, 2026-06-30 17:30:00
a, 2026-06-01 00:00:00, 2026-05-31 17:00:00"""
    assert table({"contact": contacts}, "C3").loc[("C3", "company", "all"), "denominator"] == 2


def test_restructuring_is_no_cure() -> None:
    ends = """account_key, month_end, bucket, reaged
a, 2026-05-31, 3, false
a, 2026-06-30, 0, true
b, 2026-05-31, 3, false
b, 2026-06-30, 0, false"""
    found = table({"month_end": ends}, "F3", "F5", "F5b")
    values = {kpi: found.loc[(kpi, "company", "all"), "value"] for kpi in ("F3", "F5", "F5b")}
    assert values == {"F3": 0.5, "F5": 0.5, "F5b": 1.0}


@pytest.mark.parametrize(("start", "end"), [("2026-06-02", "2026-06-30"), ("2026-06-01", "2026-06-29"), ("2026-07-01", "2026-06-30")])
def test_a_partial_month_is_refused(start: str, end: str) -> None:
    with pytest.raises(ParameterError, match="the period"):
        Period(date.fromisoformat(start), date.fromisoformat(end))


def test_another_window_is_another_definition() -> None:
    before, after = KpiWindows(), KpiWindows(kept_threshold=0.8)
    assert KPIS["C8"].definition(before) != KPIS["C8"].definition(after)
    assert KPIS["R1"].definition(before) == KPIS["R1"].definition(after)
    assert len({kpi.definition(before) for kpi in kpis()}) == len(KPIS)


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
