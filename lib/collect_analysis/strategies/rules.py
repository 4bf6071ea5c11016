"""A rule as a table: rows of conditions on what is known before a decision, first match wins, each row an action or shares of actions.

Written in YAML, inline in a report file or in `parameters/rules/<name>.yml` (`rule: <name>`, `rows: [...]`):

    - when: {bucket: {from: 1, to: 4}, product_code: [card, overdraft]}
      then: challenger
    - when: {score: {to: 450, missing: true}}
      then: {challenger: 0.1, champion: 0.9}
    - then: champion

`from` is inclusive, `to` exclusive. An unknown value meets no condition unless `missing: true` says so; alone it asks for the unknown. The
last row has no conditions: a rule decides every case.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from collect_analysis.book.places import rules_folder
from collect_analysis.book.yaml_files import read_yaml
from collect_analysis.errors import ParameterError, nearest

ColumnKind = Literal["number", "code"]
_TEST_KEYS = ("from", "to", "in", "missing")
# Combinations of condition values up to which reachability is examined exactly; beyond it, row against row.
_MOST_COMBINATIONS = 20_000
_TOLERANCE = 1e-9
_OTHER = "\x00other"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a column must be: in [low, high), or one of `codes`; `missing`: an unknown value qualifies too (or alone, with nothing else)."""

    low: float | None = None
    high: float | None = None
    codes: tuple[str, ...] = ()
    missing: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it compares with numbers."""
        return self.low is not None or self.high is not None

    def admits(self, value: object) -> bool:
        """Whether a value qualifies; None and NaN are unknown."""
        if value is None or value != value:
            return self.missing
        if self.numeric:
            number = float(str(value))
            return (self.low is None or number >= self.low) and (self.high is None or number < self.high)
        return str(value) in self.codes


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """One row: all `tests` must hold; `chances` are the probabilities of the actions (1 for a rule without chance)."""

    tests: Mapping[str, Requirement] = field(default_factory=dict)
    chances: Mapping[str, float]

    def matches(self, case: Mapping[str, object]) -> bool:
        """Whether every condition holds for a case (column -> value; an absent column is unknown)."""
        return all(test.admits(case.get(column)) for column, test in self.tests.items())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Ordered rows; the first that matches decides, the last matches everything."""

    name: str
    rows: tuple[RuleRow, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the rule reads, in order of appearance."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row.tests))

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions with a chance above 0, in order of appearance."""
        return tuple(dict.fromkeys(action for row in self.rows for action, chance in row.chances.items() if chance > 0))

    def row_of(self, case: Mapping[str, object]) -> int:
        """The number, from 1, of the row that decides a case."""
        return next(number for number, row in enumerate(self.rows, 1) if row.matches(case))

    def shares_cases(self, number: int) -> bool:
        """Whether an earlier row takes some of the cases that row `number` describes."""
        own = self.rows[number - 1].tests
        return any(
            all(_meet(own[column], test) for column, test in earlier.tests.items() if column in own) for earlier in self.rows[: number - 1]
        )


def everyone(action: str, *, name: str) -> Rule:
    """The rule that gives everybody the same action."""
    return Rule(name=name, rows=(RuleRow(chances={action: 1.0}),))


def load_rule(name: str, *, folder: Path | None = None) -> list[dict[str, Any]]:
    """The rows of `parameters/rules/<name>.yml`, as written.

    Raises
    ------
    ParameterError
        There is no such file, or it does not hold `rule: <name>` and a list `rows`.
    """
    where = folder or rules_folder()
    path = where / f"{name}.yml"
    if not path.is_file():
        known = sorted(item.stem for item in where.glob("*.yml")) if where.is_dir() else []
        raise ParameterError(f"there is no rule '{name}': {path} is missing; {nearest(name, known)}")
    content = read_yaml(path)
    problems = [f"{path}: unknown key '{key}'; known: rule, title, rows" for key in sorted(set(content) - {"rule", "title", "rows"})]
    if content.get("rule") != name:
        problems.append(f"{path}: rule is {content.get('rule')!r}; write '{name}', the file's stem")
    if not isinstance(content.get("rows"), list):
        problems.append(f"{path}: rows is missing; write a list of rows, each with `when` and `then`")
    if problems:
        raise ParameterError(problems)
    rows: list[dict[str, Any]] = content["rows"]
    return rows


def parse_rule(name: str, rows: object) -> Rule:
    """A rule from rows as written (see the module).

    Raises
    ------
    ParameterError
        All problems that can be told without data: a row that is no row, an empty interval, a condition without content, shares outside 0-1
        or not summing to 1, no last row that matches everything, a row that can never be reached.
    """
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        raise ParameterError(f"rule '{name}' is {rows!r}; write a list of rows, each with `when` and `then`")
    problems: list[str] = []
    read = [_row(f"rule '{name}', row {number}", raw, problems) for number, raw in enumerate(rows, 1)]
    if read[-1].tests:
        problems.append(f"rule '{name}' has no last row for all other cases; end with a row that has only `then`")
    problems += _mixed(name, read)
    if not problems:
        problems += _unreachable(name, read)
    if problems:
        raise ParameterError(problems)
    return Rule(name=name, rows=tuple(read))


def misfits(rule: Rule, *, columns: Mapping[str, ColumnKind], actions: Collection[str]) -> list[str]:
    """What keeps a rule from deciding these cases: columns that are not there or of another kind, actions nobody knows; a sentence each."""
    found = []
    for column in rule.columns:
        rows = [number for number, row in enumerate(rule.rows, 1) if column in row.tests]
        where = f"rule '{rule.name}', row {rows[0]}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
        if column not in columns:
            found.append(f"{where}: there is no column '{column}' known before the decision; {nearest(column, sorted(columns))}")
            continue
        for number in rows:
            test = rule.rows[number - 1].tests[column]
            if test.numeric and columns[column] == "code":
                found.append(f"rule '{rule.name}', row {number}: '{column}' holds codes; write the codes, as {column}: [a, b]")
            elif test.codes and columns[column] == "number":
                found.append(
                    f"rule '{rule.name}', row {number}: '{column}' is a number; write an interval, as {column}: {{from: 1, to: 2}}"
                )
    named = dict.fromkeys(action for row in rule.rows for action in row.chances)
    unknown = [action for action in named if action not in actions]
    return found + [
        f"rule '{rule.name}': there is no action '{action}' in the log; {nearest(action, sorted(map(str, actions)))}" for action in unknown
    ]


def _row(where: str, raw: object, problems: list[str]) -> RuleRow:
    if not isinstance(raw, Mapping) or "then" not in raw or set(raw) - {"when", "then"}:
        problems.append(f"{where} is {_short(raw)}; write {{when: {{column: ...}}, then: action}}")
        return RuleRow(chances={})
    when = raw.get("when") or {}
    if not isinstance(when, Mapping):
        problems.append(f"{where}: when is {_short(when)}; write a condition under each column, as {{bucket: {{from: 1, to: 4}}}}")
        when = {}
    tests = {str(column): _test(f"{where}, {column}", spec, problems) for column, spec in when.items()}
    return RuleRow(tests=tests, chances=_chances(where, raw["then"], problems))


def _test(where: str, spec: object, problems: list[str]) -> Requirement:
    if isinstance(spec, list) or (isinstance(spec, (str, int)) and not isinstance(spec, bool)):
        spec = {"in": spec}
    if not isinstance(spec, Mapping) or not spec or set(spec) - set(_TEST_KEYS):
        problems.append(f"{where} is {_short(spec)}; write {{from: ..., to: ...}}, a list of codes, or {{missing: true}}")
        return Requirement(missing=True)
    bounds = {key: spec.get(key) for key in ("from", "to")}
    wrong = [key for key, bound in bounds.items() if bound is not None and not _finite(bound)]
    if wrong:
        problems.append(f"{where}: {wrong[0]} is {_short(bounds[wrong[0]])}; write a number")
        return Requirement(missing=True)
    low, high = (None if bound is None else float(bound) for bound in bounds.values())
    listed = spec.get("in", [])
    codes = tuple(str(code) for code in (listed if isinstance(listed, list) else [listed]))
    missing = spec.get("missing", False)
    if not isinstance(missing, bool):
        problems.append(f"{where}: missing is {_short(missing)}; write true or false")
    if low is not None and high is not None and low >= high:
        problems.append(f"{where}: no value lies from {low:g} (inclusive) to {high:g} (exclusive); widen the interval or delete the row")
    if codes and (low is not None or high is not None):
        problems.append(f"{where} has both codes and an interval; keep one")
    if not codes and low is None and high is None and missing is not True:
        problems.append(f"{where} asks for nothing; write an interval, codes or missing: true")
    return Requirement(low=low, high=high, codes=codes, missing=missing is True)


def _chances(where: str, then: object, problems: list[str]) -> dict[str, float]:
    if isinstance(then, str):
        return {then: 1.0}
    if not isinstance(then, Mapping) or not then or not all(_finite(share) for share in then.values()):
        problems.append(f"{where}: then is {_short(then)}; write an action, or {{action: share, ...}}")
        return {}
    chances = {str(action): float(share) for action, share in then.items()}
    if min(chances.values()) < 0 or max(chances.values()) > 1 or abs(sum(chances.values()) - 1) > _TOLERANCE:
        problems.append(f"{where}: the shares of its actions sum to {sum(chances.values()):g}; write shares from 0 to 1 that sum to 1")
    return chances


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _mixed(name: str, rows: Sequence[RuleRow]) -> list[str]:
    """Columns compared with numbers in one row and with codes in another."""
    numeric = {column for row in rows for column, test in row.tests.items() if test.numeric}
    coded = {column for row in rows for column, test in row.tests.items() if test.codes}
    return [
        f"rule '{name}': '{column}' is compared with numbers and with codes; it can be one of both only"
        for column in sorted(numeric & coded)
    ]


def _unreachable(name: str, rows: Sequence[RuleRow]) -> list[str]:
    """Rows that no case can reach: everything they match is matched before. The last row may stay idle: it is there for what nobody foresaw."""
    atoms = {column: _atoms([row.tests[column] for row in rows if column in row.tests]) for row in rows for column in row.tests}
    reached: set[int] = set()
    if math.prod(map(len, atoms.values())) <= _MOST_COMBINATIONS:
        for values in itertools.product(*atoms.values()):
            case = dict(zip(atoms, values, strict=True))
            reached.add(next((number for number, row in enumerate(rows) if row.matches(case)), -1))
    else:
        reached = {number for number, row in enumerate(rows) if not any(_covers(earlier, row, atoms) for earlier in rows[:number])}
    return [
        f"rule '{name}', row {number + 1} is never reached: earlier rows match all its cases; move it up or delete it"
        for number in range(len(rows) - 1)
        if number not in reached
    ]


def _atoms(tests: Sequence[Requirement]) -> list[object]:
    """Values that stand for all: one per interval between bounds, one per code and one for any other code, and unknown."""
    bounds = sorted({bound for test in tests for bound in (test.low, test.high) if bound is not None})
    codes = sorted({code for test in tests for code in test.codes})
    numbers: list[object] = [-math.inf, *bounds] if bounds else []
    return [*numbers, *(codes if bounds else [*codes, _OTHER]), None]


def _meet(one: Requirement, other: Requirement) -> bool:
    """Whether some value meets both."""
    return any(one.admits(value) and other.admits(value) for value in _atoms([one, other]))


def _covers(earlier: RuleRow, later: RuleRow, atoms: Mapping[str, list[object]]) -> bool:
    return all(
        all(test.admits(value) for value in atoms[column] if column not in later.tests or later.tests[column].admits(value))
        for column, test in earlier.tests.items()
    )
