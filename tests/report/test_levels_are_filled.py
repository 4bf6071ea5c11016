"""Levels, limits and horizons in texts come from the number that was used: nobody types one."""

import re

import matplotlib.axes
import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.agency_evaluation import figures as agency
from collect_analysis.methods.profiling import funnel
from collect_analysis.methods.rates import levels
from collect_analysis.report import texts

from tests.conftest import PROJECT

LIBRARY = PROJECT / "lib" / "collect_analysis"
# A percentage, or a number of something that is counted; 0 %, 100 % and what is one of a thing are no parameters.
PERCENT = re.compile(r"(?<![\d.,])(?!(?:0|0[.,]0|100) ?%)\d[\d.,]* ?%")
COUNTED = re.compile(
    r"(?<![\d.,{}])\d[\d.,]* (?:whole |complete |independent |ordinary )?(?:days?|weeks?|months?|years?|clusters|points|payers|payments|groups of|"
    r"ngày|tuần|tháng|năm|cụm|khách hàng|khoản)\b"
)
SPELLED = re.compile(
    r"\b(?:four|nineteen|three|eight) (?:of|out of) (?:five|twenty|ten)\b|\b(?:five|ten|twenty) percent\b|95 (?:of|trên) 100"
    r"|\b(?:bốn|ba) trên năm (?:lần|kỳ)|mười chín trên hai mươi|năm phần trăm"
)
ALLOWED = {
    "incentive_scheme:words.scheme_caveat_fifths": "a fifth is 20 %, in Vietnamese",
    "incentive_scheme:labels.fifth": "a fifth is 20 %, in Vietnamese",
    "incentive_scheme:cells.winners": "a fifth is 20 %, in Vietnamese",
    "incentive_scheme:labels.p10_minor": "names of quantiles",
    "incentive_scheme:labels.p90_minor": "names of quantiles",
    "incentive_scheme:values.scheme_change.weaker_kept_gate": "the name of a change of the scheme, which the table of terms shows in numbers",
    "incentive_scheme:values.scheme_change.lower_threshold": "the name of a change of the scheme, which the table of terms shows in numbers",
    "target_setting:cells.forecast": "names of chances that stand in the headings beside it",
}


def typed(text: str) -> list[str]:
    return [found.group() for pattern in (PERCENT, COUNTED, SPELLED) for found in pattern.finditer(text)]


def test_no_level_limit_or_horizon_is_typed_into_a_text() -> None:
    found = {f"{stem}:{place}": entry for stem, place, entry in texts.entries() if any(typed(entry[lang]) for lang in texts.LANGUAGES)}
    assert not {place: entry for place, entry in found.items() if place not in ALLOWED}
    assert set(found) == set(ALLOWED), "what is allowed and not there any more"


def test_the_scan_sees_a_typed_level() -> None:
    assert all(map(typed, ("95 % interval", "giới hạn 99,8 %", "at least 7 whole months", "in four of five tries", "95 trên 100 tháng")))
    assert not any(map(typed, ("{level} interval", "attainment above 100 %", "group 1 to 5", "stands at 0.0 %")))


def test_no_function_has_a_level_of_its_own() -> None:
    own = re.compile(r"\b(?:level|alpha|power|inner|outer): float = [\d.]+|z = 1\.96")
    found = [
        f"{path.relative_to(LIBRARY)}: {match.group()}"
        for path in LIBRARY.rglob("*.py")
        for match in own.finditer(path.read_text(encoding="utf-8"))
        # A parameter of a report file has its value from there, and is told from there.
        if "kinds" not in path.parts and "self" not in match.group()
    ]
    assert not found


def test_no_figure_types_a_percentage() -> None:
    """A string of a figure that holds a percentage is a level that somebody typed."""
    for path in [*(LIBRARY / "report" / "figures").glob("*.py"), *LIBRARY.glob("*/*/figures*.py"), *LIBRARY.glob("*/figures*.py")]:
        strings = re.findall(r'"([^"\n]*)"', path.read_text(encoding="utf-8"))
        assert not [text for text in strings if PERCENT.search(text)], path.name


def test_places_are_filled_with_what_the_library_computes_with() -> None:
    assert texts.say("monitor_line_naive", "en").startswith(f"Plain {100 * levels.CONFIDENCE:g} % interval")
    assert texts.say("monitor_line_naive", "vi", level="90 %").startswith("Khoảng 90 %")
    assert texts.percent(levels.OUTER, "vi") == "99,8 %"


@pytest.mark.parametrize(("inner", "outer"), [(0.95, 0.998), (0.9, 0.99)])
@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_the_funnel_names_the_levels_it_was_drawn_with(inner: float, outer: float, lang: texts.Lang) -> None:
    units = pd.DataFrame({"unit_key": list("abcd"), "observed_count": [10.0, 25, 31, 44], "expected_count": [12.0, 22, 35, 40]})
    units = units.assign(expected_size=np.inf, value=units["observed_count"] / units["expected_count"], unit_name=units["unit_key"])
    scatter = funnel.dispersion(units["observed_count"], units["expected_count"])
    table = funnel.funnel_table(units, overdispersion=scatter, inner=inner, outer=outer)
    axes: matplotlib.axes.Axes = agency.funnel_plot(table, funnel.limit_curve(table), lang=lang)
    legend = axes.get_legend()
    assert legend is not None
    written = " ".join(text.get_text() for text in legend.get_texts())
    assert texts.percent(inner, lang) in written
    assert texts.percent(outer, lang) in written
