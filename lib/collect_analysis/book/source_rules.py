"""Whether the rules of a mapping file can be followed: tables, columns, and what a rule may say of a column of its type."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from collect_analysis.book.reasons import REASONS
from collect_analysis.book.schema import MINOR_DIGITS, Column, Table
from collect_analysis.book.source_format import EPOCHS, SERIAL_DAYS, ColumnRule, Outcome, Source, TableMapping, declared_signs
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import nearest

Place = tuple[str | int, ...]
Problems = Iterator[tuple[Place, str]]

_SOURCES = ("from", "value", "row_number", "fiscal_quarter")
_DATE_DIRECTIVES = frozenset("dmYbHMSfIp")
_TIME_DIRECTIVES = _DATE_DIRECTIVES | {"z"}
# Which step belongs to which types; a step named for another type would be silently without effect.
NUMERIC = ("integer", "money", "number")
_STATED = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,12})?")
_WORDS = ("key", "text", "code")
_ONLY_FOR = {
    "date": ("date",),
    "edge": ("date",),
    "drop_time": ("date",),
    "time": ("timestamp",),
    "timestamp": ("timestamp",),
    "zone": ("timestamp",),
    "to_zone": ("timestamp", "date"),
    "duration": ("integer",),
    "decimal": NUMERIC,
    "grouping": NUMERIC,
    "parentheses": NUMERIC,
    "trailing_minus": NUMERIC,
    "unicode_minus": NUMERIC,
    "percent": ("number",),
    "debit": ("money",),
    "mark": ("money",),
    "scale": ("money",),
    "round": ("money", "integer"),
    "slug": _WORDS,
    "pseudonym": ("key",),
    "prefix": _WORDS,
    "equals": ("flag", "number"),
    "ends_with": ("flag", "number"),
    "true_words": ("flag", "number"),
    "false_words": ("flag", "number"),
}
_SPELLING = {"true_words": "true", "false_words": "false", "source": "from"}


def open_column(name: str) -> Column:
    """The typed column behind an open name: money if it ends in `_minor`, else a number."""
    return Column(name=name, type="money" if name.endswith("_minor") else "number", doc="Declared by the mapping.", required=False)


def column_of(table: Table, name: str) -> Column | None:
    """The canonical column `name` of a table, declared or open; None if the table has no such column."""
    if name in table.column_names:
        return table[name]
    return open_column(name) if table.is_open_column(name) else None


def complete_rules(mapping: TableMapping, table: Table, currency: str) -> dict[str, ColumnRule]:
    """The rules of a table with what goes without saying: the book's currency, and block columns under canonical names."""
    rules = mapping.rules
    if mapping.unpivot is not None:
        aliases = {alias for block in mapping.unpivot.blocks for alias in block.columns} | {mapping.unpivot.column}
        for alias in sorted(aliases - set(rules)):
            if column_of(table, alias) is not None:
                rules[alias] = ColumnRule.model_validate({"from": alias})
    if "currency" in table.column_names and "currency" not in rules:
        rules["currency"] = ColumnRule(value=currency)
    return rules


def rule_problems(source: Source) -> Problems:
    """Every rule of the mapping that cannot be followed: the place in the file and what is wrong."""
    yield from _check_problems(source)
    yield from ((("zone",), text) for text in _zone_problems(source.zone))
    for name, stated in source.control.totals.items():
        if not _STATED.fullmatch(stated):
            yield ("control", "totals", name), f"is '{stated}'; write the sum as 1234567.89, without grouping"
    if {"decimal", "grouping"} <= source.format.model_fields_set and source.format.decimal == source.format.grouping:
        yield ("format", "grouping"), f"decimal and grouping are both '{source.format.grouping}'; they must differ"
    for name, mapping in source.tables.items():
        table = TABLES.get(name)
        if table is None:
            yield ("tables", name), f"unknown table; {nearest(name, sorted(TABLES))}"
            continue
        yield from _table_problems(source, name, mapping, table)


def _check_problems(source: Source) -> Problems:
    """Severities declared for checks that there are not, or that are not a mapping's to declare."""
    open_to = {name: reason.may_be for name, reason in REASONS.items() if reason.may_be}
    for name, severity in source.checks.items():
        if name not in open_to:
            yield ("checks", name), f"is no check whose severity can be declared; {nearest(name, sorted(open_to))}"
        elif severity not in open_to[name]:
            yield ("checks", name), f"cannot be '{severity}'; choose {' or '.join(open_to[name])}"


def _table_problems(source: Source, name: str, mapping: TableMapping, table: Table) -> Problems:
    here: Place = ("tables", name)
    for group in ("outcomes", "covariates", "doses"):
        if getattr(mapping, group) and f"{group[:-1]}_" not in table.open_prefixes:
            yield (*here, group), f"table '{name}' has no {group}; only cohort has"
    rules = complete_rules(mapping, table, source.currency)
    for column in table.columns:
        if column.required and column.name not in rules:
            yield (*here, "columns", column.name), f"is required ({column.doc}) and has no rule; add one"
    if mapping.unpivot is not None:
        yield from _unpivot_problems((*here, "unpivot"), mapping)
    for target, rule in mapping.rules.items():
        place = (*here, *_place_of(target, mapping))
        found = column_of(table, target)
        if isinstance(rule, Outcome) and rule.kind == "money" and not target.endswith("_minor"):
            name = target.removeprefix("outcome_")
            yield place, f"kind is money, and only a name that ends in _minor holds an amount; call it {name}_minor, reports call it {name}"
        elif found is None:
            yield place, f"table '{name}' has no such column; {nearest(target, list(table.column_names))}"
        else:
            told = [*_column_problems(found, rule), *_amount_problems(found, rule, source)]
            yield from ((place, text) for text in told or _constant_problems(found, rule, source))


def _place_of(target: str, mapping: TableMapping) -> Place:
    for prefix in ("outcome", "covariate", "dose"):
        bare = target.removeprefix(f"{prefix}_")
        if target not in mapping.columns and bare in getattr(mapping, f"{prefix}s"):
            return (f"{prefix}s", bare)
    return ("columns", target)


def _unpivot_problems(here: Place, mapping: TableMapping) -> Problems:
    assert mapping.unpivot is not None  # noqa: S101 - the caller looked
    first = set(mapping.unpivot.blocks[0].columns)
    for number, block in enumerate(mapping.unpivot.blocks):
        if set(block.columns) != first:
            yield (*here, "blocks", number), f"names {', '.join(sorted(block.columns))}; every block must name {', '.join(sorted(first))}"
    values = [block.value for block in mapping.unpivot.blocks]
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield (*here, "blocks"), f"two blocks stand for '{value}'; keep one"


def _column_problems(column: Column, rule: ColumnRule) -> Iterator[str]:
    given = [word for word in _SOURCES if getattr(rule, "source" if word == "from" else word) not in (None, False)]
    if len(given) != 1:
        yield f"names {' and '.join(given) or 'no source'}; give exactly one of {', '.join(_SOURCES)}"
    for step, types in _ONLY_FOR.items():
        if getattr(rule, step) not in (None, False, "", []) and column.type not in types:
            yield f"`{_SPELLING.get(step, step)}` is for columns of type {' or '.join(types)}, this one is {column.type}; remove it"
    for step in ("time", "debit", "mark"):
        if getattr(rule, step) is not None and rule.source is None:
            yield f"`{step}` stands beside `from`; say which column that is"
    if rule.duration is not None and column.type == "integer" and not column.seconds:
        yield "`duration` is for columns of seconds (_s) or minutes (_min); remove it"
    if rule.fiscal_quarter is not None and column.type != "date":
        yield f"`fiscal_quarter` gives a date, this column is {column.type}; remove it"
    if rule.upper and rule.lower:
        yield "`upper` and `lower` exclude each other; keep one"
    if rule.others is not None and not rule.codes:
        yield "`others` says what happens to words not in `codes`, and there are no codes; remove it"
    if bool(rule.true_words) != bool(rule.false_words):
        yield "`true` and `false` go together; list the words of both"
    both = sorted(set(rule.true_words) & set(rule.false_words))
    if both:
        yield f"'{both[0]}' is both true and false; keep one"
    if column.allowed:
        wrong = sorted({word for word in rule.codes.values() if word not in column.allowed})
        for word in wrong:
            yield f"code '{word}' is not allowed here; {nearest(word, list(column.allowed))}"
    yield from _format_problems(column, rule)


def _amount_problems(column: Column, rule: ColumnRule, source: Source) -> Iterator[str]:
    """What cannot be said of amounts in this currency and format."""
    decimal, grouping = declared_signs(rule, source.format)
    if column.type in NUMERIC and decimal is not None and decimal == grouping:
        yield f"decimal and grouping are both '{decimal}'; they must differ"
    if rule.scale is not None and column.type == "money" and source.currency != "XXX":
        yield from _scale_problems(rule.scale, source.currency)
    beside = [step for step in ("debit", "mark") if getattr(rule, step) is not None]
    if len(beside) == 2:
        yield "`debit` and `mark` exclude each other; keep one"
    if beside and column.low is not None:
        yield f"`{beside[0]}` gives amounts below 0, and {column.name} is never below {column.low:g}; remove it"
    both = sorted(set(rule.mark.plus) & set(rule.mark.minus)) if rule.mark else []
    if both:
        yield f"'{both[0]}' is both plus and minus; keep one"


def _scale_problems(scale: int, currency: str) -> Iterator[str]:
    """A factor that no usual unit of amounts has, such as the hundred of cents in a currency without them."""
    digits = MINOR_DIGITS.get(currency, 2)
    units = {1: "the smallest unit", 10**digits: "units", 10 ** (digits + 3): "thousands", 10 ** (digits + 6): "millions"}
    if scale not in units:
        least = "has no unit below one" if digits == 0 else f"has {10**digits:,} minor units to one"
        offers = ", ".join(f"{factor} for amounts in {unit}" for factor, unit in units.items())
        yield f"scale {scale} multiplies every amount by {scale}, and {currency} {least}; write {offers}"


def _constant_problems(column: Column, rule: ColumnRule, source: Source) -> Iterator[str]:
    """A value or default that does not fit its column: known before a file is opened."""
    from collect_analysis.book.parsing.columns import unfit_constant

    for name, word in (("value", rule.value), ("default", rule.default)):
        sentence = unfit_constant(word, column, rule, source.format) if word is not None else ""
        if sentence:
            yield f"the {name} '{word}' {sentence}; correct it"


def _format_problems(column: Column, rule: ColumnRule) -> Iterator[str]:
    if rule.date is not None and rule.date not in SERIAL_DAYS:
        yield from _directives(rule.date, _DATE_DIRECTIVES, _needed_of_day(rule.date) if rule.edge else ("Y", "m", "d"))
    if rule.timestamp is not None and rule.timestamp not in EPOCHS:
        yield from _directives(rule.timestamp, _TIME_DIRECTIVES, ("Y", "m", "d", "H", "M"))
    if rule.to_zone is not None and rule.zone is None and column.type == "timestamp":
        yield "`to_zone` needs `zone`, the zone of the source; add it"
    yield from _zone_problems(rule.zone, rule.to_zone)


def _zone_problems(*zones: str | None) -> Iterator[str]:
    for zone in filter(None, zones):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield f"'{zone}' is no time zone; write one as Asia/Ho_Chi_Minh"


def _needed_of_day(pattern: str) -> tuple[str, ...]:
    """What a day at the edge of its month or, where the source has years only, of its year must be written with."""
    return ("Y",) if set(re.findall(r"%(.)", pattern)) == {"Y"} else ("Y", "m")


def _directives(pattern: str, allowed: frozenset[str], needed: tuple[str, ...]) -> Iterator[str]:
    used = re.findall(r"%(.)", pattern)
    unknown = sorted(set(used) - allowed)
    if unknown:
        hint = "; years are written with four digits: %Y" if "y" in unknown else ""
        yield f"'{pattern}' uses %{unknown[0]}; known are {', '.join('%' + sign for sign in sorted(allowed))}{hint}"
    months = {"m", "b"}
    lacking = [
        sign for sign in needed if sign not in used and not (sign == "m" and months & set(used)) and not (sign == "H" and "I" in used)
    ]
    if lacking:
        yield f"'{pattern}' lacks {', '.join('%' + sign for sign in lacking)}; say where they stand"
