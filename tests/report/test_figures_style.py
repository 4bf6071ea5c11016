"""Figures: the same bytes twice, names as text, what is undefined is not drawn."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from collect_analysis.report.figures import curves, intervals, style


def effects(names: list[str]) -> pd.DataFrame:
    count = len(names)
    values = np.linspace(0.01, 0.05, count)
    return pd.DataFrame({"arm": names, "value": values, "low": values - 0.01, "high": values + 0.01})


def liquidation() -> pd.DataFrame:
    ages = list(range(1, 7))
    rows = [{"agency": name, "age_months": age, "value": age * slope} for name, slope in (("A", 0.01), ("B", 0.02)) for age in ages]
    return pd.DataFrame(rows).assign(low=lambda t: t["value"] - 0.002, high=lambda t: t["value"] + 0.002)


def drawn(names: list[str]) -> bytes:
    return style.svg(intervals.interval_plot(effects(names), label="arm", xlabel="Effect", lang="en").figure)


def test_the_same_drawing_gives_the_same_bytes() -> None:
    assert drawn(["a", "b"]) == drawn(["a", "b"])


def test_the_same_drawing_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib, pandas as pd\n"
        "from collect_analysis.report.figures import intervals, style\n"
        "table = pd.DataFrame({'arm': ['a'], 'value': [0.1], 'low': [0.0], 'high': [0.2]})\n"
        "axes = intervals.interval_plot(table, label='arm', xlabel='x', lang='en')\n"
        "print(hashlib.sha256(style.svg(axes.figure)).hexdigest())\n"
    )
    outs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(outs) == 1


@pytest.mark.parametrize("name", ["$a$b_", "$\\frac{", "<b>bold</b>", "Nguyễn & Lê --> x", "{{ x }}"])
def test_b60_a_name_of_signs_is_drawn_as_text(name: str) -> None:
    axes = intervals.interval_plot(effects([name]), label="arm", xlabel=name, lang="en")
    assert axes.get_yticklabels()[0].get_text() == name
    root = ET.fromstring(style.svg(axes.figure))  # noqa: S314  (our own drawing)
    assert not [node for node in root.iter() if node.tag.endswith("}b")]


def test_e3_of_ten_thousand_rows_the_first_are_drawn_and_the_figure_says_so() -> None:
    axes = intervals.interval_plot(effects([f"unit {number}" for number in range(9_938)]), label="arm", xlabel="x", lang="en")
    assert len(axes.get_yticklabels()) == style.MOST_ROWS
    assert "The first 60 of 9,938 rows" in axes.texts[-1].get_text()
    assert len(style.svg(axes.figure)) < 1_000_000
    few = intervals.interval_plot(effects(["a", "b"]), label="arm", xlabel="x", lang="en")
    assert list(few.texts) == []


def test_an_undefined_value_is_a_dash_and_not_a_point() -> None:
    table = effects(["a", "b"])
    table.loc[1, ["value", "low", "high"]] = np.nan
    axes = intervals.interval_plot(table, label="arm", xlabel="Effect", lang="en")
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(points) == 1
    assert [text.get_text() for text in axes.texts] == ["–"]


def test_the_first_row_is_on_top_and_intervals_are_where_the_table_has_them() -> None:
    table = effects(["a", "b"])
    axes = intervals.interval_plot(table, label="arm", xlabel="Effect", lang="en")
    bars = [line for line in axes.lines if line.get_marker() == "None" and line.get_linestyle() == "-"]
    assert [tuple(bar.get_xdata()) for bar in bars] == list(zip(table["low"], table["high"], strict=True))
    assert axes.yaxis_inverted()


def test_marked_rows_differ_in_form_and_colour() -> None:
    axes = intervals.interval_plot(
        effects(["a", "b"]).assign(credible=[False, True]), label="arm", xlabel="x", lang="en", highlight="credible"
    )
    assert [line.get_marker() for line in axes.lines if line.get_marker() != "None"] == ["o", "s"]


def test_curves_end_in_their_names() -> None:
    axes = curves.line_curves(liquidation(), x="age_months", xlabel="Months", ylabel="Collected", lang="en", curve="agency", percent=True)
    assert [text.get_text() for text in axes.texts] == ["A", "B"]
    axes.figure.canvas.draw()
    assert all(label.get_text().endswith(" %") for label in axes.get_yticklabels())


def test_curves_that_end_together_get_a_legend() -> None:
    table = liquidation().assign(value=0.1)
    axes = curves.line_curves(table, x="age_months", xlabel="Months", ylabel="Collected", lang="en", curve="agency")
    assert axes.get_legend() is not None
    assert not axes.texts


def test_axes_are_written_in_the_language_and_unit() -> None:
    axes = style.new_axes()
    axes.plot([0, 1], [0, 4_000_000_000])
    assert style.money_axis(axes.yaxis, 4_000_000_000, "VND", "vi") == "tỷ VND"
    axes.figure.canvas.draw()
    assert "1,0" in [label.get_text() for label in axes.get_yticklabels()]


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", style.PALETTE)
def test_every_line_colour_stands_out_from_white(colour: str) -> None:
    """WCAG 2.1, 1.4.11: graphics need a contrast of 3:1."""
    assert 1.05 / (luminance(colour) + 0.05) >= 3
