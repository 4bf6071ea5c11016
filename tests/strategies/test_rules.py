"""Rule tables: read, checked without data, the first row that matches decides, as an expression and case by case."""

import itertools
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.strategies.rule_value.measures_rows import chance, row_number
from collect_analysis.strategies.rules import everyone, load_rule, misfits, parse_rule

ROWS = [
    {"when": {"score": {"from": 450, "to": 600}, "product": ["card", "loan"]}, "then": "call"},
    {"when": {"score": {"to": 500, "missing": True}}, "then": {"call": 0.25, "text": 0.75}},
    {"when": {"product": {"missing": True}}, "then": "visit"},
    {"then": "text"},
]


def problems(rows: Any) -> tuple[str, ...]:
    with pytest.raises(ParameterError) as refusal:
        parse_rule("r", rows)
    return refusal.value.problems


@pytest.mark.parametrize(
    ("case", "row"),
    [
        ({"score": 450, "product": "card"}, 1),  # from is inclusive
        ({"score": 600, "product": "card"}, 4),  # to is exclusive
        ({"score": 449.9, "product": "card"}, 2),
        ({"score": 470, "product": "overdraft"}, 2),
        ({"score": None, "product": "card"}, 2),  # unknown qualifies where the row says so
        ({"score": float("nan"), "product": "card"}, 2),
        ({"score": 700, "product": None}, 3),
        ({"score": 550}, 3),  # a column that is not there is unknown
        ({"score": 700, "product": "card"}, 4),
    ],
)
def test_the_first_row_that_matches_decides(case: dict[str, Any], row: int) -> None:
    assert parse_rule("r", ROWS).row_of(case) == row


def test_what_a_rule_reads_and_does_is_listed_in_order() -> None:
    rule = parse_rule("r", ROWS)
    assert rule.columns == ("score", "product")
    assert rule.actions == ("call", "text", "visit")
    assert everyone("call", name="all").row_of({}) == 1


def test_an_action_with_no_chance_is_no_action_of_the_rule() -> None:
    assert parse_rule("r", [{"then": {"call": 1, "text": 0}}]).actions == ("call",)


def test_the_expression_decides_as_the_rule_does() -> None:
    rule = parse_rule("r", ROWS)
    cases = list(itertools.product([None, 449.0, 450.0, 499.9, 500.0, 599.9, 600.0], [None, "card", "loan", "other"]))
    table = ibis.memtable(
        [{"place": place, "s": score, "product": product} for place, (score, product) in enumerate(cases)],
        schema={"place": "int64", "s": "float64", "product": "string"},
    )
    row = row_number(table, rule.rows, {"score": "s", "product": "product"})
    expression = table.select("place", row=row, call=chance(row, ibis.literal("call"), rule.rows)).order_by("place")
    found = ibis.duckdb.connect().to_pyarrow(expression).to_pydict()
    expected = [rule.row_of({"score": score, "product": product}) for score, product in cases]
    assert found["row"] == expected
    assert set(expected) == {1, 2, 3, 4}
    assert found["call"] == [{1: 1.0, 2: 0.25, 3: 0.0, 4: 0.0}[number] for number in expected]


def test_all_that_is_wrong_with_the_rows_is_told_at_once() -> None:
    rows = [
        {"when": {"score": {"from": 600, "to": 600}}, "then": "call"},
        {"when": {"score": {"from": "high"}}, "then": {"call": 0.6, "text": 0.6}},
        {"when": {"score": {}}, "then": "call"},
        {"if": {}, "then": "call"},
        {"when": {"product": {"in": ["a"], "from": 1}}, "then": {"call": "often"}},
        {"when": {"product": ["a"]}, "then": "text"},
    ]
    assert problems(rows) == (
        "rule 'r', row 1, score: no value lies from 600 (inclusive) to 600 (exclusive); widen the interval or delete the row",
        "rule 'r', row 2, score: from is 'high'; write a number",
        "rule 'r', row 2: the shares of its actions sum to 1.2; write shares from 0 to 1 that sum to 1",
        "rule 'r', row 3, score is {}; write {from: ..., to: ...}, a list of codes, or {missing: true}",
        "rule 'r', row 4 is {'if': {}, 'then': 'call'}; write {when: {column: ...}, then: action}",
        "rule 'r', row 5, product has both codes and an interval; keep one",
        "rule 'r', row 5: then is {'call': 'often'}; write an action, or {action: share, ...}",
        "rule 'r' has no last row for all other cases; end with a row that has only `then`",
        "rule 'r': 'product' is compared with numbers and with codes; it can be one of both only",
    )


@pytest.mark.parametrize("rows", [[], "call", None, 3])
def test_what_is_no_list_of_rows_is_refused(rows: Any) -> None:
    assert problems(rows)[0].endswith("write a list of rows, each with `when` and `then`")


def test_a_row_behind_rows_that_take_all_its_cases_is_found() -> None:
    # Neither of the first two takes 1 to 5 alone; together they do.
    rows = [
        {"when": {"bucket": {"to": 3}}, "then": "a"},
        {"when": {"bucket": {"from": 3, "to": 9}}, "then": "b"},
        {"when": {"bucket": {"from": 1, "to": 5}, "product": ["card"]}, "then": "c"},
        {"then": "d"},
    ]
    assert problems(rows) == ("rule 'r', row 3 is never reached: earlier rows match all its cases; move it up or delete it",)
    rows[2]["when"] = {"bucket": {"from": 1, "to": 10}}
    assert parse_rule("r", rows).row_of({"bucket": 9}) == 3


def test_a_row_that_shares_cases_with_an_earlier_one_is_known() -> None:
    rows = [
        {"when": {"bucket": {"to": 3}, "product": ["card"]}, "then": "a"},
        {"when": {"bucket": {"from": 3}}, "then": "b"},
        {"when": {"product": ["card", "loan"]}, "then": "c"},
        {"when": {"product": ["overdraft"], "bucket": {"to": 1}}, "then": "d"},
        {"then": "e"},
    ]
    rule = parse_rule("r", rows)
    assert [rule.shares_cases(number) for number in range(1, 6)] == [False, False, True, False, True]


def test_rows_may_overlap_and_many_conditions_are_still_examined() -> None:
    wide = [{"when": {f"c{place}": {"from": place, "to": place + 5}}, "then": "a"} for place in range(12)]
    parse_rule("r", [*wide, {"then": "b"}])
    again = {"when": {"c0": {"from": 1, "to": 2}, "c1": ["x"]}, "then": "a"}
    assert "never reached" in problems([*wide[:1], *wide[2:], again, {"then": "b"}])[0]


def test_columns_and_actions_that_the_log_lacks_are_named() -> None:
    rule = parse_rule("r", ROWS)
    assert misfits(rule, columns={"score": "number", "product": "code"}, actions=["call", "text", "visit"]) == []
    assert misfits(rule, columns={"scores": "number", "product": "number"}, actions=["call", "text"]) == [
        "rule 'r', row 1 and 1 more: there is no column 'score' known before the decision; did you mean 'scores'?",
        "rule 'r', row 1: 'product' is a number; write an interval, as product: {from: 1, to: 2}",
        "rule 'r': there is no action 'visit' in the log; known: call, text",
    ]
    assert misfits(rule, columns={"score": "code", "product": "code"}, actions=["call", "text", "visit"])[0] == (
        "rule 'r', row 1: 'score' holds codes; write the codes, as score: [a, b]"
    )


def test_a_named_rule_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "night.yml").write_text("rule: night\ntitle: t\nrows:\n  - {when: {bucket: {to: 3}}, then: text}\n  - {then: call}\n")
    assert parse_rule("night", load_rule("night", folder=tmp_path)).row_of({"bucket": 3}) == 2
    with pytest.raises(ParameterError, match=r"there is no rule 'nigth'.*did you mean 'night'"):
        load_rule("nigth", folder=tmp_path)
    (tmp_path / "day.yml").write_text("rule: night\nrow: []\n")
    with pytest.raises(ParameterError) as refusal:
        load_rule("day", folder=tmp_path)
    assert [item.split(": ", 1)[1] for item in refusal.value.problems] == [
        "unknown key 'row'; known: rule, title, rows",
        "rule is 'night'; write 'day', the file's stem",
        "rows is missing; write a list of rows, each with `when` and `then`",
    ]


def test_every_rule_of_the_repository_can_be_read() -> None:
    names = [path.stem for path in Path("parameters/rules").glob("*.yml")]
    assert names
    for name in names:
        assert np.all([row.chances for row in parse_rule(name, load_rule(name)).rows])
