"""Forms of amounts, days and times that a mapping declares; undeclared ones are refused with the declaration that would read them."""

from datetime import date, datetime

import pytest
from collect_analysis.errors import DataError, ParameterError

from tests.book.payments_source import HEADER, Payments

PLAIN = "{kind: csv}"
SEMICOLON = '{kind: csv, delimiter: ";"}'


def columns(amount: str = "{from: amount}", day: str = "{from: day}", more: str = "") -> str:
    return (
        f"      payment_key: {{from: id}}\n      account_key: {{from: account}}\n      amount_minor: {amount}\n"
        f"      value_date: {day}\n      eligible: {{value: true}}\n{more}"
    )


def amounts(payments: Payments, cells: list[str], *, amount: str = "{from: amount}", form: str = SEMICOLON, **options) -> list[int]:
    payments.deliver("id;account;amount;day\n" + "".join(f"{n};a;{cell};2026-06-0{n + 1}\n" for n, cell in enumerate(cells)))
    payments.load(form=form, columns=columns(amount), **options)
    return list(payments.rows()["amount_minor"])


def refusal(payments: Payments, cells: list[str], **options) -> str:
    with pytest.raises(DataError) as refused:
        amounts(payments, cells, **options)
    return "\n".join(refused.value.problems)


# Amounts that hang on a sign nobody declared.


def test_an_amount_that_hangs_on_an_undeclared_sign_is_refused_with_both_readings(payments: Payments) -> None:
    told = refusal(payments, ["900.000", "1200"], loss=1)
    assert (
        "cash.csv, line 2: column 'amount' (amount_minor) '900.000' is 900 if the point is a decimal sign and 900000 if it groups digits; "
        'the mapping file does not say which (1 rows); declare `decimal: "."` or `grouping: "."` under `format`'
    ) in told
    assert not payments.manifest.exists()


@pytest.mark.parametrize(
    ("form", "amount", "read"),
    [
        ('{kind: csv, delimiter: ";", decimal: "."}', "{from: amount}", 900),
        ('{kind: csv, delimiter: ";", grouping: "."}', "{from: amount}", 900_000),
        ('{kind: csv, delimiter: ";", decimal: ",", grouping: "."}', "{from: amount}", 900_000),
        (SEMICOLON, '{from: amount, grouping: "."}', 900_000),
        (SEMICOLON, '{from: amount, decimal: "."}', 900),
    ],
)
def test_a_declared_sign_settles_it(payments: Payments, form: str, amount: str, read: int) -> None:
    assert amounts(payments, ["900.000"], form=form, amount=amount) == [read]


@pytest.mark.parametrize("cell", ["900000.00", "900000", "0.000", "1200.0", "900.00"])
def test_an_amount_that_can_be_read_in_one_way_only_needs_no_declaration(payments: Payments, cell: str) -> None:
    assert amounts(payments, [cell]) == [round(float(cell))]


def test_a_grouping_point_makes_the_comma_the_decimal_sign(payments: Payments) -> None:
    form = '{kind: csv, delimiter: ";", grouping: "."}'
    # With the point taken for both, 1234.50 became 123450.
    assert "is no number as declared (decimal ',', grouping '.')" in refusal(payments, ["1234.50"], form=form)
    assert amounts(payments, ["1.234,00"], form=form) == [1234]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["900,000"], 'decimal: ",", grouping: "."` reads 900,000 as 900.000'),
        (["1.234.567,00"], '`decimal: ",", grouping: "."` reads 1.234.567,00 as 1234567.00'),
        (["1.234.567", "5"], '`decimal: ",", grouping: "."` reads 1.234.567 as 1234567'),
        (["1,234,567"], '`decimal: ".", grouping: ","` reads 1,234,567 as 1234567'),
        (["100-"], "`trailing_minus: true` reads 100- as -100"),
        (["−100"], "`unicode_minus: true` reads −100 as -100"),
        (["(100)"], "`parentheses: true` reads (100) as -100"),
        (["100 đ"], "`strip: ['đ']` takes the unit off"),
        (["VND 100"], "`strip: ['VND']` takes the unit off"),
        (["x"], "correct the declaration, or the source"),
    ],
)
def test_an_unread_amount_is_told_with_the_declaration_that_reads_it(payments: Payments, cells: list[str], told: str) -> None:
    assert told in refusal(payments, cells)


def test_two_declarations_that_read_an_amount_are_both_told(payments: Payments) -> None:
    told = refusal(payments, ["900,000"])
    assert '`decimal: ".", grouping: ","` reads 900,000 as 900000 or `decimal: ",", grouping: "."` reads 900,000 as 900.000' in told


@pytest.mark.parametrize(
    ("amount", "cells", "read"),
    [
        ("{from: amount, trailing_minus: true}", ["100", "100-", "100 -", "-7"], [100, -100, -100, -7]),
        ("{from: amount, unicode_minus: true}", ["100", "−100", "-7"], [100, -100, -7]),
        ("{from: amount, unicode_minus: true, trailing_minus: true}", ["100−"], [-100]),
    ],
)
def test_declared_minus_signs_are_read(payments: Payments, amount: str, cells: list[str], read: list[int]) -> None:
    assert amounts(payments, cells, amount=amount) == read


def test_a_minus_on_both_sides_is_no_number(payments: Payments) -> None:
    assert "is no number" in refusal(payments, ["-100-"], amount="{from: amount, trailing_minus: true}")


# Real numbers.


def test_a_real_number_is_settled_by_another_of_its_column(payments: Payments) -> None:
    def load(cells: list[str], rule: str = "{from: score}") -> list[float]:
        payments.deliver("id,account,amount,day,score\n" + "".join(f"{n},a,5,2026-06-0{n + 1},{cell}\n" for n, cell in enumerate(cells)))
        mapping = payments.mapping(form=PLAIN, columns=columns())
        text = mapping.read_text().replace("  payment:", "  cohort:").replace(
            columns(),
            "      experiment_id: {value: e}\n      subject_key: {from: id}\n      arm: {value: x}\n"
            f"      running_value: {rule}\n      assigned_on: {{from: day}}\n    outcomes:\n      paid: {{from: amount, kind: number}}\n",
        )  # fmt: skip
        mapping.write_text(text)
        from collect_analysis.book.intake import import_source

        from tests.book.payments_source import NOW

        import_source(mapping, books=payments.books, now=NOW)
        return list(payments.rows("cohort").sort_values("subject_key")["running_value"])

    assert load(["1.234", "0.5"]) == [1.234, 0.5]
    assert load(["1.234", "7.25"]) == [1.234, 7.25]
    with pytest.raises(DataError, match=r"'1\.234' is 1\.234 if the point is a decimal sign and 1234 if it groups digits"):
        load(["1.234", "7"])
    assert load(["5 %", "12.5%", "3"], "{from: score, percent: true}") == [0.05, 0.125, 0.03]


# Scales.


@pytest.mark.parametrize(("scale", "read"), [(1, 12), (1000, 12_000), (1_000_000, 12_000_000)])
def test_units_thousands_and_millions_are_scales(payments: Payments, scale: int, read: int) -> None:
    assert amounts(payments, ["12"], amount=f"{{from: amount, scale: {scale}}}") == [read]


@pytest.mark.parametrize("scale", [100, 10, 2])
def test_a_scale_that_the_currency_has_not_is_refused(payments: Payments, scale: int) -> None:
    with pytest.raises(ParameterError) as refused:
        amounts(payments, ["12"], amount=f"{{from: amount, scale: {scale}}}")
    assert (
        f"amount_minor: scale {scale} multiplies every amount by {scale}, and VND has no unit below one; write 1 for amounts in units, "
        "1000 for amounts in thousands, 1000000 for amounts in millions"
    ) in refused.value.problems[0]


# Two columns for one.


def test_credit_and_debit_are_one_amount(payments: Payments) -> None:
    payments.deliver("id;account;debit;credit;day\n1;a;;100;2026-06-01\n2;a;40;;2026-06-02\n3;a;0;7;2026-06-03\n")
    report = payments.load(form=SEMICOLON, columns=columns("{from: credit, debit: debit}"))
    assert list(payments.rows()["amount_minor"]) == [100, -40, 7]
    assert report.loads[0].money_read_minor == 67


def test_a_row_on_both_sides_or_on_none_is_set_aside(payments: Payments) -> None:
    payments.deliver("id;account;debit;credit;day\n1;a;40;100;2026-06-01\n2;a;;;2026-06-02\n3;a;x;;2026-06-02\n4;a;;5;2026-06-02\n")
    (done,) = payments.load(form=SEMICOLON, columns=columns("{from: credit, debit: debit}"), loss=0.8).loads
    rows = payments.quarantine(done.load_id)
    assert list(rows["reason"]) == ["both_sides", "missing", "unreadable_number"]
    assert (rows["value"][0], rows["source_column"][0]) == ("100 40", "credit, debit")
    assert (done.money_kept_minor, done.unreadable_money_cells) == (5, 2)


def test_a_mark_gives_an_amount_its_sign(payments: Payments) -> None:
    payments.deliver(
        "id,account,amount,day,dc\n1,a,100,2026-06-01,C\n2,a,40,2026-06-02,D\n3,a,5,2026-06-02,X\n4,a,-5,2026-06-03,D\n5,a,5,2026-06-03,\n"
    )
    (done,) = payments.load(form=PLAIN, columns=columns("{from: amount, mark: {from: dc, plus: [C, RD], minus: [D, RC]}}"), loss=0.7).loads
    assert list(payments.rows()["amount_minor"]) == [100, -40]
    rows = payments.quarantine(done.load_id)
    assert list(rows["reason"]) == ["unknown_mark", "signed_twice", "unknown_mark"]
    assert "has a mark that is neither C or RD nor D or RC" in rows["sentence"][0]


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("{from: a, debit: b, mark: {from: c, plus: [C], minus: [D]}}", "`debit` and `mark` exclude each other"),
        ("{value: '5', debit: b}", "`debit` stands beside `from`"),
        ("{from: a, mark: {from: c, plus: [C], minus: [C]}}", "'C' is both plus and minus"),
        ('{from: a, decimal: ".", grouping: "."}', "decimal and grouping are both '.'"),
    ],
)
def test_declarations_that_contradict_themselves_are_refused(payments: Payments, amount: str, told: str) -> None:
    with pytest.raises(ParameterError) as refused:
        payments.load(columns=columns(amount))
    assert told in "\n".join(refused.value.problems)


def test_the_sign_of_a_rule_may_not_be_the_formats_other_sign(payments: Payments) -> None:
    with pytest.raises(ParameterError, match="decimal and grouping are both ','"):
        payments.load(form='{kind: csv, decimal: ","}', columns=columns('{from: amount, grouping: ","}'))
    with pytest.raises(ParameterError, match=r"format\.grouping: decimal and grouping are both ','"):
        payments.load(form='{kind: csv, decimal: ",", grouping: ","}')


# Days and times.


def load_day(payments: Payments, cells: list[str], rule: str) -> list[date]:
    payments.deliver(HEADER + "".join(f"{n},a,{n + 5},{cell}\n" for n, cell in enumerate(cells)))
    payments.load(form=PLAIN, columns=columns(day=rule))
    return [day.date() if isinstance(day, datetime) else day for day in payments.rows()["value_date"]]


@pytest.mark.parametrize(
    ("rule", "cells"),
    [
        ('{from: day, date: "%d/%m/%Y %H:%M:%S"}', ["05/06/2026 14:05:33", "30/06/2026 00:00:00"]),
        ("{from: day, drop_time: true}", ["2026-06-05 14:05:33", "2026-06-30"]),
        ("{from: day, drop_time: true}", ["2026-06-05T23:59:59.999999999", "2026-06-30 00:00"]),
        ("{from: day, drop_time: true, to_zone: Asia/Ho_Chi_Minh}", ["2026-06-04T17:30:00Z", "2026-06-30T00:00:00+07:00"]),
        ("{from: day, to_zone: Asia/Ho_Chi_Minh}", ["2026-06-04T17:00:00Z", "2026-06-30"]),
        ('{from: day, date: "%Y%m%d"}', ["20260605", "20260630"]),
        ("{from: day, date: excel_1900}", ["46178", "46203"]),
        ("{from: day, date: excel_1904}", ["44716", "44741"]),
    ],
)
def test_declared_days_are_read(payments: Payments, rule: str, cells: list[str]) -> None:
    assert load_day(payments, cells, rule) == [date(2026, 6, 5), date(2026, 6, 30)]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["05/06/2026 14:05:33", "30/06/2026 00:00:00"], 'declare `date: "%d/%m/%Y %H:%M:%S"`, which leaves the time away'),
        (["2026-06-05 14:05:33"], "declare `drop_time: true`, which leaves the time of the day away"),
        (["05/06/2026", "30/06/2026"], 'declare `date: "%d/%m/%Y"`'),
        (["05/06/2026"], 'declare `date: "%d/%m/%Y"` or `date: "%m/%d/%Y"`: the cells fit both, ask the sender'),
        (["20260605"], 'declare `date: "%Y%m%d"`'),
        (["46178"], 'declare `date: "excel_1900"`'),
        (["yesterday"], "correct `date` of the mapping file, or the source"),
    ],
)
def test_undeclared_days_are_refused_with_what_reads_them(payments: Payments, cells: list[str], told: str) -> None:
    with pytest.raises(DataError) as refused:
        load_day(payments, cells, "{from: day}")
    assert refused.value.problems[1].endswith(told)


def test_a_day_and_its_time_in_two_columns_are_one_moment(payments: Payments) -> None:
    payments.deliver("id,account,amount,day,clock\n1,a,5,05/06/2026,14:05\n2,a,6,06/06/2026,23:59\n3,a,7,06/06/2026,\n")
    more = '      posted_utc: {from: day, time: clock, timestamp: "%d/%m/%Y %H:%M", zone: Asia/Ho_Chi_Minh}\n'
    (done,) = payments.load(form=PLAIN, columns=columns(day='{from: day, date: "%d/%m/%Y"}', more=more), loss=0.4).loads
    assert list(payments.rows()["posted_utc"]) == [datetime(2026, 6, 5, 7, 5), datetime(2026, 6, 6, 16, 59)]
    assert list(payments.quarantine(done.load_id)["value"]) == ["06/06/2026"]
