"""Every condition has an input that breaks it and nothing else, and then its own sentence, in both languages.

A refusal that names another cause than its own sends people to mend what is whole.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import collect_analysis
import pytest
from collect_analysis.portfolio.kpi_period.measures_identities import NEEDS
from collect_analysis.report import conditions, texts

from tests.refusals import agencies, designs, experiments, pages, planning

FAMILIES = (experiments.CASES, designs.CASES, planning.CASES, agencies.CASES, pages.CASES)
CASES = {name: case for family in FAMILIES for name, case in family.items()}
UNMET = re.compile(r"words\.condition_(\w+)_unmet")
PERIOD = re.compile(r"words\.kpi_check_(\w+)_unmet")
CATALOGUE = {match[1]: entry for _, place, entry in texts.entries() if (match := UNMET.fullmatch(place))}
"""Sentences of conditions that are worded in the catalogue, by name of the condition."""
KPI_CHECKS = {match[1]: entry for _, place, entry in texts.entries() if (match := PERIOD.fullmatch(place))}
ONLY_TOLD = {"arms_mixed", "nearest_kept", "recent_left_out", "stratum_probability"}
"""Conditions that are always met: they say what was found."""

FOLLOWS = {"clusters_enough": ["trend_tested"]}
"""What cannot be otherwise where a condition is broken, and is worth a word of its own: without an interval no trend before can be tested."""


def pattern(template: str) -> re.Pattern[str]:
    """Sentences that a template makes, whatever its places hold."""
    return re.compile(re.sub(r"\\\{\w+\\\}", ".*?", re.escape(template)), re.DOTALL)


def named_in_code() -> Iterator[str]:
    """The names that conditions are given in the library, as far as they are written out."""
    for path in Path(collect_analysis.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Condition":
                given = [item.value for item in node.keywords if item.arg == "name"]
                parts = [[item.body, item.orelse] if isinstance(item, ast.IfExp) else [item] for item in given]
                yield from (part.value for each in parts for part in each if isinstance(part, ast.Constant))


def test_every_case_is_of_one_condition_and_no_condition_is_left_out() -> None:
    assert sum(map(len, FAMILIES)) == len(CASES)
    assert (set(CATALOGUE) | set(named_in_code())) - ONLY_TOLD == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_condition_is_broken_alone_and_says_so_in_its_own_words(name: str) -> None:
    broken = [item for item in CASES[name]() if not item.met]
    assert [item.name for item in broken] == [name, *FOLLOWS.get(name, [])]
    for lang in texts.LANGUAGES:
        said = conditions.worded(broken, lang)[0]
        assert said.detail
        assert said.remedy
        assert not re.search(r"[{}]|\bnan\b", f"{said.detail} {said.remedy}")
        if name in CATALOGUE:
            assert [other for other, entry in CATALOGUE.items() if pattern(entry[lang]).fullmatch(said.detail)] == [name]
        elif lang != "en":
            assert said.detail != broken[0].detail
            assert said.remedy != broken[0].remedy


@pytest.mark.parametrize("code", NEEDS)
def test_sums_of_a_period_that_do_not_add_up_say_which(code: str) -> None:
    for lang in texts.LANGUAGES:
        (broken,) = pages.period_check(code, lang)
        assert not broken.met
        assert broken.name == texts.say(f"kpi_check_{code}", lang)
        assert [other for other in NEEDS if pattern(KPI_CHECKS[other][lang]).fullmatch(broken.detail)] == [code]
