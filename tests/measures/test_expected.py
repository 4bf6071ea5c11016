"""Expected recovery: by hand, against an independent computation in pandas, and the identities that must hold."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import cell_rates
from collect_analysis.measures.expected import calibration_table, expected_by_account_cell, ladder_table, observed_expected

from tests.small_book import book_of

MONTHS = pd.date_range("2026-01-01", periods=6, freq="MS")
FIRST, LAST = date(2026, 5, 1), date(2026, 6, 1)
AS_OF = date(2026, 6, 30)
FACTORS = ("bucket", "recency", "balance_band")


def frames_of_a_shop(seed: int = 3, accounts: int = 400) -> dict[str, pd.DataFrame]:
    """Six months of three teams of one kind: accounts of two debts per debtor, some of which enter later, some of which are paid off."""
    rng = np.random.default_rng(seed)
    key = np.array([f"a{i:04d}" for i in range(accounts)])
    original = np.round(rng.lognormal(10, 0.7, accounts)).astype(int)
    account = pd.DataFrame(
        {"account_key": key, "customer_key": [f"c{i // 2}" for i in range(accounts)], "portfolio_code": "cards", "product_code": "card",
         "debt_status": rng.choice(["overdue", "npl"], accounts), "open_date": date(2025, 1, 1), "original_minor": original, "currency": "VND",
         "is_restructured": False, "score_at_entry": 600.0}
    )  # fmt: skip
    enters, leaves = rng.choice([0, 0, 0, 2, 5], accounts), rng.choice([4, 9, 9, 9], accounts)
    ends = pd.MultiIndex.from_product([range(accounts), range(7)], names=["i", "t"]).to_frame(index=False)
    ends = ends[(ends["t"] >= enters[ends["i"]]) & (ends["t"] <= leaves[ends["i"]])]
    bucket = np.minimum(rng.integers(1, 4, accounts)[ends["i"]] + ends["t"] // 2, 20)
    moved = rng.random(len(ends)) < 0.1
    officer = np.where(moved, (ends["i"] + ends["t"]) % 9, ends["i"] % 9)
    month_ends = (MONTHS[0] - pd.Timedelta(days=1) + pd.offsets.MonthEnd(0)) + np.array([pd.offsets.MonthEnd(t) for t in range(7)])
    table = pd.DataFrame(
        {"account_key": key[ends["i"]], "month_end": pd.DatetimeIndex(month_ends)[ends["t"]].date,
         "status": np.where(ends["t"] == leaves[ends["i"]], "paid_off", "open"), "bucket": bucket, "score": 600.0,
         "balance_minor": (original[ends["i"]] * (1 - 0.05 * ends["t"])).astype(int), "unit_key": [f"u{o // 3}" for o in officer],
         "officer_key": [f"o{o}" for o in officer]}
    )  # fmt: skip
    pays = ends[rng.random(len(ends)) < 0.3]
    days = [MONTHS[t - 1].date().replace(day=int(d)) for t, d in zip(pays["t"], rng.integers(1, 28, len(pays)), strict=True) if t]
    pays = pays[pays["t"] > 0]
    payment = pd.DataFrame(
        {"payment_key": [f"p{i}" for i in range(len(pays))], "account_key": key[pays["i"]], "value_date": days, "currency": "VND",
         "amount_minor": np.round(original[pays["i"]] * rng.uniform(0.05, 0.4, len(pays))).astype(int), "eligible": True}
    )  # fmt: skip
    unit = pd.DataFrame({"unit_key": ["u0", "u1", "u2"], "valid_from": date(2020, 1, 1), "name": ["A", "B", "C"], "unit_type": "team",
                         "sub_function": "tele"})  # fmt: skip
    staff = pd.DataFrame({"officer_key": [f"o{i}" for i in range(9)], "valid_from": date(2025, 3, 1), "unit_key": "u0", "active": True,
                          "hire_month": [date(2025, 3, 1)] * 8 + [None]})  # fmt: skip
    return {"account": account, "month_end": table, "payment": payment, "unit": unit, "officer": staff}


def in_pandas(frames: dict[str, pd.DataFrame], *, least: int, quantile: float) -> pd.DataFrame:
    """The same account-months and expectations written again, account by account, without calibration."""
    ends = frames["month_end"].assign(at=lambda t: pd.to_datetime(t["month_end"])).sort_values(["account_key", "at"])
    account = frames["account"].set_index("account_key")
    stock = ends[ends["status"] == "open"].assign(month=lambda t: t["at"] + pd.Timedelta(days=1), entered=False)
    seen = ends.drop_duplicates("account_key")
    entries = seen[seen["at"] > ends["at"].min()].assign(month=lambda t: t["at"].dt.to_period("M").dt.to_timestamp(), entered=True)
    rows = pd.concat([stock, entries])
    rows = rows[rows["month"] <= pd.Timestamp(LAST)].join(account[["customer_key", "original_minor", "debt_status"]], on="account_key")
    rows["owed"] = np.where(rows["entered"], rows["original_minor"], rows["balance_minor"])
    paid = frames["payment"].assign(month=lambda t: pd.to_datetime(t["value_date"]).dt.to_period("M").dt.to_timestamp())
    paid = paid.groupby(["account_key", "month"], as_index=False)["amount_minor"].sum()
    rows = rows.merge(paid, on=["account_key", "month"], how="left").fillna({"amount_minor": 0}).sort_values(["account_key", "month"])
    # Only what an account paid while it was in the book is known to it.
    last = rows["month"].where(rows["amount_minor"] > 0).groupby(rows["account_key"]).transform(lambda m: m.shift().ffill())
    since = (rows["month"].dt.year - last.dt.year) * 12 + rows["month"].dt.month - last.dt.month
    rows["recency"] = np.select([rows["entered"], since.isna(), since == 1, since <= 3], ["entered", "never", "01", "02-03"], "04-06")
    rows["bucket"] = np.where(
        rows["entered"], "entered " + rows["debt_status"] + " tele", np.where(rows["bucket"] > 3, "04-06", "0" + rows["bucket"].astype(str))
    )
    reference = rows["month"] <= pd.Timestamp(2026, 4, 1)
    cuts = rows.loc[reference, "owed"].quantile([0.25, 0.5, 0.75])
    rows["balance_band"] = (np.searchsorted(cuts, rows["owed"], side="right") + 1).astype(str)
    cap = int(rows.loc[reference & (rows["amount_minor"] > 0), "amount_minor"].quantile(quantile))
    rows["capped"] = rows["amount_minor"].clip(upper=cap)
    known = rows[reference]
    for row in rows[rows["month"] >= pd.Timestamp(FIRST)].itertuples():
        for depth in range(len(FACTORS), -1, -1):
            cell = known
            for name in FACTORS[:depth]:
                cell = cell[cell[name] == getattr(row, name)]
            others = cell[cell["unit_key"] != row.unit_key]
            if depth == 0 or (len(cell) >= least and len(others) < 0.1 * len(cell)):
                used = cell
                break
            if len(others) >= least:
                used = others
                break
        rate, square = used["capped"].sum() / used["owed"].sum(), (used["capped"] ** 2).sum() / (used["owed"].astype(float) ** 2).sum()
        rows.loc[row.Index, "p"] = (used["amount_minor"] > 0).mean()
        rows.loc[row.Index, "full"] = row.owed * used["amount_minor"].sum() / used["owed"].sum()
        rows.loc[row.Index, "expected"] = row.owed * rate
        rows.loc[row.Index, "variance"] = row.owed**2 * square - (row.owed * rate) ** 2
        full = (used["amount_minor"] ** 2).sum() / (used["owed"].astype(float) ** 2).sum()
        rows.loc[row.Index, "variance_full"] = row.owed**2 * full - rows.loc[row.Index, "full"] ** 2
    return rows[rows["month"] >= pd.Timestamp(FIRST)]


@pytest.fixture(scope="module")
def shop() -> Book:
    return book_from_frames(frames_of_a_shop(), as_of=AS_OF)


def test_every_sum_is_that_of_an_independent_computation(shop: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_rates, "LEAST_ACCOUNTS", 20)
    found = observed_expected(shop, FIRST, LAST, factors=FACTORS, cap_quantile=0.9, reference_months=4, calibrate=False)
    other = in_pandas(frames_of_a_shop(), least=20, quantile=0.9)
    keys = ["month", "unit_key", "officer_key"]
    sums = other.groupby(keys).agg(
        accounts=("owed", "size"), opening_minor=("owed", "sum"), payers=("amount_minor", lambda x: (x > 0).sum()),
        expected_payers=("p", "sum"), cash_minor=("amount_minor", "sum"), expected_cash_minor=("full", "sum"),
        capped_minor=("capped", "sum"), expected_minor=("expected", "sum"), variance_minor=("variance", "sum"),
        variance_cash_minor=("variance_full", "sum"),
    )  # fmt: skip
    debtors = other.groupby([*keys, "customer_key"])[["capped", "expected", "amount_minor", "full"]].sum()
    for column, got, hoped in (("variance_minor", "capped", "expected"), ("variance_cash_minor", "amount_minor", "full")):
        sums[column] *= ((debtors[got] - debtors[hoped]) ** 2).sum() / sums[column].sum()
    mine = found.assign(month=pd.to_datetime(found["month"])).set_index(keys)
    assert list(mine.index) == list(sums.index)
    for column in sums:
        assert mine[column].astype(float).tolist() == pytest.approx(sums[column].astype(float).tolist(), rel=1e-9), column
    assert len(set(other["bucket"])) > 3
    assert other["entered"].any()


def test_expected_adds_up_to_what_the_company_got(shop: Book) -> None:
    found = observed_expected(shop, FIRST, LAST, factors=FACTORS, reference_months=4)
    months = found.groupby("month")[
        ["payers", "expected_payers", "cash_minor", "expected_cash_minor", "capped_minor", "expected_minor"]
    ].sum()
    for got, hoped in (("payers", "expected_payers"), ("cash_minor", "expected_cash_minor"), ("capped_minor", "expected_minor")):
        assert months[hoped].tolist() == pytest.approx(months[got].tolist())
    within = observed_expected(shop, FIRST, LAST, factors=FACTORS, reference_months=4, calibrate_within=("unit_key",))
    units = within.groupby(["month", "unit_key"])[["capped_minor", "expected_minor"]].sum()
    assert units["expected_minor"].tolist() == pytest.approx(units["capped_minor"].tolist())


def test_an_officer_is_judged_by_other_units_and_by_hand() -> None:
    """Two teams, one cell: team u holds balance 100 and got 10 before; team v holds 300 and got 90. In June u is expected 100 x 90/300."""
    lines = [f"{key}, {end}, {balance}, {unit}, {officer}" for end in ("2026-04-30", "2026-05-31", "2026-06-30") for key, balance, unit, officer in
             (("a", 100, "u", "x"), ("b", 100, "v", "y"), ("c", 200, "v", "z"))]  # fmt: skip
    tables = {
        "account": "account_key\na\nb\nc",
        "month_end": "\n".join(["account_key, month_end, balance_minor, unit_key, officer_key", *lines]),
        "payment": "account_key, amount_minor, value_date\na, 10, 2026-05-05\nb, 90, 2026-05-06\na, 40, 2026-06-05",
        "unit": "unit_key\nu\nv",
        "officer": "officer_key, unit_key, hire_month\nx, u, 2025-12-01",
    }
    book = book_of(tables, as_of=AS_OF)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cell_rates, "LEAST_ACCOUNTS", 1)
        found = observed_expected(book, LAST, LAST, factors=("bucket",), reference_months=1, cap_quantile=1.0, calibrate=False)
        found = found.set_index("officer_key")
    assert found["expected_minor"].to_dict() == pytest.approx({"x": 30, "y": 10, "z": 20})
    assert found["expected_payers"].to_dict() == pytest.approx({"x": 0.5, "y": 1, "z": 1})
    assert found["cash_minor"].to_dict() == {"x": 40, "y": 0, "z": 0}
    assert found.loc["x", "tenure_months"] == 6
    assert found[["accounts", "sub_function"]].loc["x"].tolist() == [1, "tele"]


def test_one_large_payment_counts_up_to_the_cap(shop: Book) -> None:
    uncapped = observed_expected(shop, FIRST, LAST, factors=FACTORS, reference_months=4, cap_quantile=1.0)
    capped = observed_expected(shop, FIRST, LAST, factors=FACTORS, reference_months=4, cap_quantile=0.5)
    assert capped["cash_minor"].tolist() == uncapped["cash_minor"].tolist()
    assert capped["expected_cash_minor"].tolist() == pytest.approx(uncapped["expected_cash_minor"].tolist())
    assert (capped["capped_minor"] <= uncapped["capped_minor"]).all()
    assert capped["capped_minor"].sum() < uncapped["capped_minor"].sum()


def test_a_forecast_needs_no_outcome_and_keeps_every_open_account(shop: Book) -> None:
    cut = Book(shop.manifest, shop._engine, as_of=date(2026, 5, 31))
    forecast = expected_by_account_cell(cut, LAST, factors=FACTORS, by=("unit_key",))
    open_then = frames_of_a_shop()["month_end"].query("month_end == @date(2026, 5, 31) and status == 'open'")
    assert forecast["accounts"].sum() == len(open_then)
    assert forecast["opening_minor"].sum() == open_then["balance_minor"].sum()
    later = expected_by_account_cell(cut, LAST, factors=FACTORS, by=("unit_key",), ahead=2)
    assert later["accounts"].tolist() == forecast["accounts"].tolist()
    assert (forecast[["expected_minor", "variance_minor", "expected_payers"]] > 0).all(axis=None)
    with pytest.raises(DataError, match="12 months after an opening"):
        expected_by_account_cell(cut, LAST, factors=FACTORS, ahead=12)


def test_every_level_of_a_factor_adds_up_to_the_whole(shop: Book) -> None:
    table = calibration_table(shop, FIRST, LAST, factors=FACTORS, reference_months=4)
    sums = table.groupby("factor")[["accounts", "payers", "capped_minor", "expected_minor"]].sum()
    assert set(sums.index) == set(FACTORS)
    assert (sums["capped_minor"] == sums["capped_minor"].iloc[0]).all()
    assert sums["expected_minor"].tolist() == pytest.approx([sums["capped_minor"].iloc[0]] * 3)
    ladder = ladder_table(shop, FIRST, LAST, factors=FACTORS, reference_months=4)
    assert ladder["accounts"].sum() == sums["accounts"].iloc[0]
    assert ladder["share"].sum() == pytest.approx(1)


def test_what_cannot_be_answered_is_refused_with_the_months_there_are(shop: Book) -> None:
    with pytest.raises(DataError, match="whole months from 2026-01 to 2026-06"):
        observed_expected(shop, FIRST, date(2026, 7, 1))
    with pytest.raises(ParameterError) as caught:
        observed_expected(shop, FIRST, LAST, factors=("buckets", "recency", "recency"))
    assert "did you mean 'bucket'" in str(caught.value)
    assert "named twice" in str(caught.value)
