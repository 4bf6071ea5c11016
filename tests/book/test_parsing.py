"""Typed values from text: every format by hand, and exactness against Python's fractions."""

from datetime import date, datetime
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from collect_analysis.book.parsing.columns import parse
from collect_analysis.book.parsing.numbers import MOST, exact_sum
from collect_analysis.book.parsing.times import fiscal_edge
from collect_analysis.book.readers.cells import text_column
from collect_analysis.book.schema import Column
from collect_analysis.book.source_format import ColumnRule, CsvFormat, FiscalQuarter
from collect_analysis.errors import WorkplaceError
from hypothesis import given, strategies as st

VIETNAMESE = CsvFormat(kind="csv", decimal=",", grouping=".")
ENGLISH = CsvFormat(kind="csv", missing=["NA"], decimal=".")
UNDECLARED = CsvFormat(kind="csv")


def read(cells: list[str | None], kind: str, *, form: CsvFormat = ENGLISH, scale: int = 1, native: bool = False, name: str = "x", **rule):
    """Values, and the reasons of those that do not fit."""
    limits = {key: rule.pop(key) for key in ("allowed", "low", "high") if key in rule}
    column = Column(name=name, type=kind, doc="", **limits)
    parsed = parse(text_column(cells, native=native), column, ColumnRule.model_validate({"from": "c", **rule}), form, scale=scale)
    assert len(parsed.values) == len(parsed.reasons) == len(cells)
    return parsed.values.to_pylist(), list(parsed.reasons)


def values(cells: list[str | None], kind: str, **options):
    found, reasons = read(cells, kind, **options)
    assert set(reasons) <= {""}
    return found


def reason(cell: str, kind: str, **options) -> str:
    found, reasons = read([cell], kind, **options)
    assert found == [None] or reasons[0] in ("", "out_of_range")
    return reasons[0]


def test_b30_money_is_read_by_the_declared_format() -> None:
    assert values(["1.234.567,89", "1234567,89", "-0,5", "+7", "12"], "money", form=VIETNAMESE, scale=100) == [
        123456789,
        123456789,
        -50,
        700,
        1200,
    ]
    spaced = CsvFormat(kind="csv", decimal=",", grouping=" ")
    assert values(["1 000", "1\u00a0000", "1\u202f234\u202f567"], "money", form=spaced) == [1000, 1000, 1234567]
    assert values(["(500)", "500"], "money", parentheses=True) == [-500, 500]
    assert values(["1000đ", "2000 VND"], "money", strip=["đ", "VND"]) == [1000, 2000]


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("1,000", ENGLISH), ("1 000", ENGLISH), ("1000đ", ENGLISH), ("(500)", ENGLISH), ("1e3", ENGLISH), ("", None), ("1.5", VIETNAMESE),
        ("1.23.456", VIETNAMESE), ("12.3456", VIETNAMESE), ("1,2,3", VIETNAMESE), (".5", ENGLISH), ("5.", ENGLISH), ("--5", ENGLISH),
        ("１２", ENGLISH), ("nan", ENGLISH), ("Infinity", ENGLISH), ("0x10", ENGLISH), ("1_000", ENGLISH),
    ],
)  # fmt: skip
def test_b30_money_of_another_format_is_set_aside(cell: str, form: CsvFormat | None) -> None:
    if form is None:
        assert values([cell], "money") == [None]
    else:
        assert reason(cell, "money", form=form) == "unreadable_number"


def test_b31_finer_than_the_smallest_unit_is_set_aside_unless_rounding_is_declared() -> None:
    assert reason("1.005", "money", scale=100) == "too_fine"
    assert reason("0.5", "money", scale=1) == "too_fine"
    assert reason("1." + "0" * 29 + "1", "money") == "too_fine"
    assert values(["1.500", "2.00"], "money", scale=10) == [15, 20]
    assert values(["0.5", "1.5", "2.5", "-0.5", "0.50000000001"], "money", round=True) == [0, 2, 2, 0, 1]
    assert reason("1" + "0" * 16, "money") == "too_large"
    assert reason("9" * 70, "money") == "too_large"


numerals = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}" + (f".{fraction}" if fraction else ""),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**22).map(str),
    st.text("0123456789", max_size=12),
)


@given(cells=st.lists(numerals, min_size=1, max_size=20), scale=st.sampled_from([1, 10, 100, 1000, 7]), rounding=st.booleans())
def test_money_is_exact_whatever_its_size(cells: list[str], scale: int, rounding: bool) -> None:
    found, reasons = read(cells, "money", scale=scale, round=rounding)
    for cell, value, told in zip(cells, found, reasons, strict=True):
        exact = Fraction(cell) * scale
        whole = round(exact)
        if whole != exact and not rounding:
            assert (value, told) == (None, "too_fine") or (told == "too_large" and abs(whole) >= MOST)
        elif abs(whole) >= MOST:
            assert (value, told) == (None, "too_large")
        else:
            assert (value, told) == (int(whole), "")


@given(st.lists(st.integers(-(2**62), 2**62), max_size=50))
def test_sums_of_money_do_not_overflow(numbers: list[int]) -> None:
    assert exact_sum(pa.array(numbers, pa.int64())) == sum(numbers)


def test_b26_b28_ids_are_text_and_damaged_ones_set_aside() -> None:
    assert values(["0012", "1" * 38, "NA", " a ", "12E5"], "key", missing=[]) == ["0012", "1" * 38, "NA", "a", "12E5"]
    for damaged in ("1.23E+18", "1,23E+18", "1E+05"):
        assert reason(damaged, "key") == "damaged_id"


def test_b29_words_that_mean_nothing_elsewhere_are_literal_unless_declared() -> None:
    assert values(["NA", "Null", "None", "nan", None, " "], "text") == [None, "Null", "None", "nan", None, None]
    assert values(["NA", "-"], "text", missing=["-"]) == ["NA", None]
    assert values(["NA", None, "3"], "integer", default="0") == [0, 0, 3]
    assert read(["x"], "integer", default="0") == ([None], ["unreadable_number"])


def test_b35_unseen_characters_set_a_key_aside_and_are_taken_from_a_text() -> None:
    for hidden in ("\u200b", "\x00", "\x07", "\u202e", "\ufeff", "\x85", "\xad"):
        assert reason(f"a{hidden}b", "key") == "key_characters"
        assert reason(f"a{hidden}b", "code") == "key_characters"
        assert values([f"a{hidden}b"], "text") == ["ab"]


def test_b21_names_are_composed_and_counted() -> None:
    column = Column(name="x", type="text", doc="")
    composed, decomposed = "Nguyễn", "Nguye\u0302\u0303n"
    assert composed != decomposed
    parsed = parse(
        text_column([composed, decomposed, decomposed, " a"]), column, ColumnRule.model_validate({"from": "c"}), ENGLISH, scale=1
    )
    assert parsed.values.to_pylist() == [composed, composed, composed, "a"]
    assert parsed.changed == {"composed to one Unicode form (NFC)": 2, "trimmed of blanks": 1}


def test_b57_codes_are_the_whole_list_and_keys_join_variants() -> None:
    assert read(["C", "c", "X"], "code", codes={"C": "card"}) == (["card", None, None], ["", "unknown_code", "unknown_code"])
    assert values(["C", "X"], "code", codes={"C": "card"}, others="keep") == ["card", "X"]
    assert values(["ABC*", "A.B.C", "Đại lý Hà Nội"], "key", strip=["*"], slug=True, codes={"A.B.C": "abc"}) == [
        "abc",
        "abc",
        "dai-ly-ha-noi",
    ]
    assert reason("***", "key", slug=True) == "no_name_left"
    assert values(["ab", "cd"], "code", upper=True, codes={"AB": "x", "CD": "y"}) == ["x", "y"]


def test_allowed_codes_and_ranges_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(["open", "Open"], "code", allowed=("open",)) == (["open", None], ["", "not_allowed"])
    assert read(["-1", "0", "9999", "99999"], "integer", low=0, high=9999)[1] == ["out_of_range", "", "", "out_of_range"]
    # B55: a share given as a percentage.
    assert reason("18.5", "number", low=0, high=1) == "out_of_range"


def test_pseudonyms_are_keyed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECT_PSEUDONYM_KEY", "k" * 16)
    # HMAC-SHA-256 of "0012" under sixteen k, by openssl dgst -sha256 -hmac, first 32 digits.
    assert values(["0012", "0012", None], "key", pseudonym=True, prefix="c-") == [
        "c-3d7f300d96f4ddb689c90fe0822c0cf2",
        "c-3d7f300d96f4ddb689c90fe0822c0cf2",
        None,
    ]
    monkeypatch.setenv("COLLECT_PSEUDONYM_KEY", "short")
    with pytest.raises(WorkplaceError, match="COLLECT_PSEUDONYM_KEY holds no key of at least 16 characters"):
        read(["1"], "key", pseudonym=True)


def test_numbers_are_finite_and_may_have_exponents() -> None:
    assert values(["1e-5", "2348.495260307892", "-3"], "number") == [1e-5, 2348.495260307892, -3.0]
    assert [reason(cell, "number") for cell in ("nan", "inf", "1e999")] == ["unreadable_number", "unreadable_number", "too_large"]


def test_integers_may_end_in_zeros_only() -> None:
    assert values(["3", "3.0"], "integer") == [3, 3]
    assert reason("3.5", "integer") == "too_fine"


def test_flags_are_words_that_are_declared() -> None:
    assert values(["true", "0", None], "flag") == [True, False, None]
    assert reason("yes", "flag") == "unreadable_flag"
    assert values(["Có", "Không"], "flag", true=["Có"], false=["Không"]) == [True, False]
    assert values(["A*", "B"], "flag", ends_with="*") == [True, False]
    assert values(["A", "B"], "number", equals="A") == [1.0, 0.0]


def test_b32_days_are_read_by_the_declared_format_only() -> None:
    assert values(["01/02/2025", "13/02/2025"], "date", date="%d/%m/%Y") == [date(2025, 2, 1), date(2025, 2, 13)]
    assert values(["2025-02-01", "2025-02-01 00:00:00"], "date") == [date(2025, 2, 1)] * 2
    assert values(["200509"], "date", date="%Y%m", edge="end") == [date(2005, 9, 30)]
    assert values(["15/02/2024"], "date", date="%d/%m/%Y", edge="end") == [date(2024, 2, 29)]
    assert values(["2024"], "date", date="%Y", edge="start") == [date(2024, 1, 1)]
    assert values(["2024"], "date", date="%Y", edge="end") == [date(2024, 12, 31)]
    for wrong in ("2025-2-1", "01/02/2025", "2025-02-30", "20250201", "2025-02-01 08:00", "0001-1-1"):
        assert reason(wrong, "date") == "unreadable_date"
    for wrong in ("31/02/2025", "2025-02-01", "01/02/25", "０１/02/2025", "1900-01-00"):
        assert reason(wrong, "date", date="%d/%m/%Y") == "unreadable_date"
    assert values(["2025-02-01"], "date", date="%d/%m/%Y", native=True) == [date(2025, 2, 1)]


def test_b34_moments_have_the_zone_they_are_declared_in() -> None:
    utc = {"name": "posted_utc"}
    noon = datetime(2026, 6, 1, 5, 0)
    assert values(["2026-06-01 12:00"], "timestamp", zone="Asia/Ho_Chi_Minh", **utc) == [noon]
    assert values(["2026-06-01T05:00:00Z", "2026-06-01 12:00+07", "2026-06-01 00:00-05:00"], "timestamp", **utc) == [noon] * 3
    assert values(["01/06/2026 12:00"], "timestamp", timestamp="%d/%m/%Y %H:%M", zone="Asia/Ho_Chi_Minh", **utc) == [noon]
    assert values(["1780290000"], "timestamp", timestamp="epoch_s", **utc) == [noon]
    assert values(["1780290000000"], "timestamp", timestamp="epoch_ms", **utc) == [noon]
    assert reason("2026-06-01 12:00", "timestamp", **utc) == "no_zone"
    for wrong in ("2026-06-01", "2026-06-01 24:00", "2026-06-31 12:00", "12:00", "2026-06-01 12:60"):
        assert reason(wrong, "timestamp", zone="UTC", **utc) == "unreadable_timestamp"


def test_b34_wall_clocks_stay_as_written_or_move_to_the_declared_zone() -> None:
    wall = {"name": "local_ts"}
    assert values(["2026-06-01 12:00", "2026-06-01 12:00+07:00"], "timestamp", **wall) == [datetime(2026, 6, 1, 12)] * 2
    moved = values(["2026-06-01 05:00", "2026-06-01 12:00+07:00"], "timestamp", zone="UTC", to_zone="Asia/Ho_Chi_Minh", **wall)
    assert moved == [datetime(2026, 6, 1, 12)] * 2
    epoch = values(["1780290000"], "timestamp", timestamp="epoch_s", zone="UTC", to_zone="Asia/Ho_Chi_Minh", **wall)
    assert epoch == [datetime(2026, 6, 1, 12)]


def test_b34_r21_moments_that_do_not_exist_or_exist_twice_are_set_aside() -> None:
    for cell in ("2026-03-29 01:30", "2026-10-25 01:30"):
        assert reason(cell, "timestamp", zone="Europe/London", name="posted_utc") == "ambiguous_time"
    assert values(["2026-10-25 01:30+01:00"], "timestamp", zone="Europe/London", name="posted_utc") == [datetime(2026, 10, 25, 0, 30)]


@pytest.mark.parametrize(
    ("year", "quarter", "first_month", "start", "end"),
    [
        ("15", "4", 10, date(2015, 7, 1), date(2015, 9, 30)),
        ("2016", "1", 10, date(2015, 10, 1), date(2015, 12, 31)),
        ("2024", "1", 1, date(2024, 1, 1), date(2024, 3, 31)),
        ("2024", "4", 4, date(2024, 1, 1), date(2024, 3, 31)),
    ],
)
def test_fiscal_quarters_are_named_after_the_year_they_end_in(year: str, quarter: str, first_month: int, start: date, end: date) -> None:
    edges = [
        fiscal_edge(year, quarter, FiscalQuarter(year="y", quarter="q", first_month=first_month, edge=edge)) for edge in ("start", "end")
    ]
    assert edges == [start, end]


def test_what_is_no_fiscal_quarter_is_none() -> None:
    rule = FiscalQuarter(year="y", quarter="q", edge="end")
    assert [fiscal_edge(year, quarter, rule) for year, quarter in (("2024", "5"), ("24a", "1"), (None, "1"), ("204", "1"))] == [None] * 4


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=20),
    st.sampled_from(["money", "integer", "number", "date", "timestamp", "flag", "key"]),
)
def test_any_text_is_a_value_or_a_reason_and_nothing_is_lost(cells: list[str | None], kind: str) -> None:
    found, reasons = read(cells, kind, form=CsvFormat(kind="csv"))
    for cell, value, told in zip(cells, found, reasons, strict=True):
        if cell is None or not cell.strip():
            assert (value, told) == (None, "")
        elif kind != "key":
            assert (value is None) == bool(told) or not np.isfinite(value)
