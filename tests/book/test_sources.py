"""Mapping files: what is refused before any data are read, with line, key and fix."""

from pathlib import Path

import pytest
from collect_analysis.book.contract import scale_of
from collect_analysis.book.sources import ColumnRule, read_source
from collect_analysis.errors import ParameterError

PROJECT = Path(__file__).resolve().parents[2]
GOOD = """\
source: feed
book: shop
currency: VND
location: {variable: FEED_DIR, default: data}
files: feed.csv
format: {kind: csv, delimiter: ";"}
tables:
  account:
    columns:
      account_key: {from: id, pseudonym: true}
      customer_key: {from: customer, pseudonym: true}
      portfolio_code: {value: p1}
      product_code: {from: product, codes: {C: card, L: cash_loan}}
      debt_status: {from: status, codes: {1: overdue, 2: npl}}
      open_date: {from: opened, date: "%d/%m/%Y"}
      original_minor: {from: balance}
      is_restructured: {value: false}
"""


def problems(folder: Path, text: str, name: str = "feed.yml") -> list[str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError) as refused:
        read_source(path)
    assert refused.value.exit_code == 2
    assert all(problem.startswith(str(path)) for problem in refused.value.problems)
    return [problem.removeprefix(f"{path}, ") for problem in refused.value.problems]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_an_amount_whose_name_does_not_say_so_is_refused_before_it_loses_its_currency(tmp_path: Path) -> None:
    text = """\
source: feed
book: shop
currency: VND
location: {variable: FEED_DIR, default: data}
files: feed.csv
format: {kind: csv}
tables:
  cohort:
    columns: {experiment_id: {value: e}, subject_key: {from: id}, arm: {from: arm}}
    outcomes:
      cash_d30: {from: cash, kind: money}
"""
    told = "line 11: tables.cohort.outcomes.cash_d30: kind is money, and only a name that ends in _minor holds an amount; "
    assert problems(tmp_path, text) == [told + "call it cash_d30_minor, reports call it cash_d30"]


def test_a_good_mapping_is_typed(tmp_path: Path) -> None:
    path = tmp_path / "feed.yml"
    path.write_text(GOOD, encoding="utf-8")
    source = read_source(path)
    rules = source.tables["account"].rules
    assert (source.book, source.format.kind, source.allowed_loss) == ("shop", "csv", 0)
    assert rules["debt_status"].codes == {"1": "overdue", "2": "npl"}
    assert source.uses_pseudonyms


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("book: shop", "bock: shop", ["line 1: book: is missing; add it", "line 2: bock: unknown key; did you mean 'book'?"]),
        ('delimiter: ";"', 'delimitr: ";"', ["line 6: format.delimitr: unknown key; did you mean 'delimiter'?"]),
        ("{from: balance}", "{form: balance}", ["line 16: tables.account.columns.original_minor.form: unknown key; did you mean 'from'?"]),
        ("    columns:\n", "    colums:\n", ["line 9: tables.account.colums: unknown key; did you mean 'columns'?"]),
        ("kind: csv", "kind: cvs", ["line 6: format.kind: must be one of csv, excel, parquet, postgres"]),
        ("currency: VND", "currency: đ", ["line 3: currency: is 'đ'; write three capital letters, as VND (ISO 4217; XXX where no money is involved)"]),
        ("book: shop", "book: ../shop", ["line 2: book: is '../shop'; write lower-case letters, digits, '-' and '_' (at most 63, no space or path)"]),
        ("{from: balance}", "[balance]", ["line 16: tables.account.columns.original_minor: is ['balance']; write keys and values, as {key: value}"]),
        ("files: feed.csv", "files: [feed.csv]", ["line 5: files: is ['feed.csv']; write one word; a number in quotes"]),
        ("  account:\n", "  acount:\n", ["line 8: tables.acount: unknown table; did you mean 'account'?"]),
        ("      original_minor:", "      original_minr:", [
            "line 9: tables.account.columns.original_minor: is required (Balance on entry.) and has no rule; add one",
            "line 16: tables.account.columns.original_minr: table 'account' has no such column; did you mean 'original_minor'?",
        ]),
        ("2: npl", "2: nlp", ["line 14: tables.account.columns.debt_status: code 'nlp' is not allowed here; did you mean 'npl'?"]),
        ("%d/%m/%Y", "%d/%m/%y", [
            "line 15: tables.account.columns.open_date: '%d/%m/%y' uses %y; known are %H, %I, %M, %S, %Y, %b, %d, %f, %m, %p; years are written "
            "with four digits: %Y",
            "line 15: tables.account.columns.open_date: '%d/%m/%y' lacks %Y; say where they stand",
        ]),
        ("{from: balance}", "{from: balance, value: 1}", [
            "line 16: tables.account.columns.original_minor: names from and value; give exactly one of from, value, row_number, fiscal_quarter"
        ]),
        ("{value: p1}", "{value: p1, scale: 100}", [
            "line 12: tables.account.columns.portfolio_code: `scale` is for columns of type money, this one is code; remove it"
        ]),
        ("files: feed.csv", "files: ../feed.csv", [
            "line 5: files: is '../feed.csv'; name a file or pattern below the location, without '..' and not absolute"
        ]),
        ("source: feed", "source: fed", ["line 1: source: is 'fed' and the file is feed.yml; the two must agree"]),
    ],
)  # fmt: skip
def test_b1_b2_b3_a_wrong_mapping_is_refused_with_line_key_and_fix(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert problems(tmp_path, changed(old, new)) == told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = changed("%d/%m/%Y", "%d/%m").replace("2: npl", "2: nlp").replace("{value: p1}", "{value: p1, zone: Asia/Saigon}")
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{from: t, zone: Asia/Hanoi}", "'Asia/Hanoi' is no time zone; write one as Asia/Ho_Chi_Minh"),
        ("{from: t, to_zone: Asia/Tokyo}", "`to_zone` needs `zone`, the zone of the source; add it"),
        ('{from: t, timestamp: "%d/%m/%Y"}', "'%d/%m/%Y' lacks %H, %M; say where they stand"),
    ],
)
def test_b34_zones_and_moments_are_checked(tmp_path: Path, rule: str, told: str) -> None:
    text = GOOD.replace("tables:\n", f"tables:\n  ticket:\n    columns:\n      opened_ts: {rule}\n")
    assert any(told in problem for problem in problems(tmp_path, text))


def test_flags_name_both_words_and_no_word_twice(tmp_path: Path) -> None:
    one = changed("{value: false}", "{from: r, true: [J]}")
    assert "`true` and `false` go together" in problems(tmp_path, one)[0]
    both = changed("{value: false}", "{from: r, true: [J, N], false: [N]}")
    assert "'N' is both true and false" in problems(tmp_path, both)[0]


def test_blocks_of_a_wide_table_name_the_same_columns(tmp_path: Path) -> None:
    text = """\
source: feed
book: shop
currency: VND
location: {variable: FEED_DIR}
files: feed.csv
format: {kind: csv}
tables:
  month_end:
    unpivot: {column: month_end, blocks: [{value: 2026-01-31, columns: {b: B1}}, {value: 2026-01-31, columns: {bb: B2}}]}
    columns: {account_key: {from: id}, status: {value: open}, bucket: {from: b}, balance_minor: {from: b}}
"""
    found = problems(tmp_path, text)
    assert found == [
        "line 9: tables.month_end.unpivot.blocks.1: names bb; every block must name b",
        "line 9: tables.month_end.unpivot.blocks: two blocks stand for '2026-01-31'; keep one",
    ]


def test_a_constant_that_does_not_fit_its_column_is_refused_before_reading(tmp_path: Path) -> None:
    wrong = changed("{value: false}", "{value: maybe}").replace('{from: opened, date: "%d/%m/%Y"}', "{value: 31/12/2026}")
    found = problems(tmp_path, wrong)
    assert found == [
        "line 15: tables.account.columns.open_date: the value '31/12/2026' is no day written as 2026-06-30; correct it",
        "line 17: tables.account.columns.is_restructured: the value 'maybe' is neither true or 1 nor false or 0; correct it",
    ]


def test_a_database_has_no_files_and_a_file_source_needs_both(tmp_path: Path) -> None:
    database = changed('{kind: csv, delimiter: ";"}', "{kind: postgres, variable: DB_URL, table: public.cases}")
    assert "neither files nor location" in problems(tmp_path, database)[0]
    without = changed("files: feed.csv\n", "")
    assert problems(tmp_path, without) == ["line 1: files: is missing; add it"]


def test_b18_a_connection_text_has_no_place_in_a_mapping(tmp_path: Path) -> None:
    database = changed('{kind: csv, delimiter: ";"}', '{kind: postgres, variable: "postgresql://u:secret@h/db", table: t}')
    told = problems(tmp_path, database)[0]
    assert "format.variable: is a connection text" in told
    assert "secret" not in told


def test_comments_places_and_limits_do_not_change_what_a_mapping_says_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "feed.yml"
    hashes = []
    for text in (GOOD, "# note\n" + changed("files: feed.csv", "files: other.csv\nallowed_loss: 0.5"), changed("L: cash_loan", "L: loan")):
        path.write_text(text, encoding="utf-8")
        hashes.append(read_source(path).content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_b31_minor_units_follow_the_currency_unless_declared() -> None:
    rule = ColumnRule.model_validate({"from": "x"})
    assert [scale_of(rule, currency) for currency in ("VND", "USD", "KWD", "XXX")] == [1, 100, 1000, 1]
    assert scale_of(ColumnRule.model_validate({"from": "x", "scale": 1}), "USD") == 1


@pytest.mark.parametrize("path", sorted((PROJECT / "parameters" / "sources").glob("*.yml")), ids=lambda path: path.stem)
def test_every_mapping_of_the_project_is_sound(path: Path) -> None:
    assert read_source(path).source == path.stem
