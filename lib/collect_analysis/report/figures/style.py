"""One look for every figure: sizes, fonts, colours that colour-blind readers tell apart, and the same bytes for the same drawing."""

import io
from collections.abc import Callable
from typing import Any, Literal

import matplotlib
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from collect_analysis.report import texts
from collect_analysis.report.texts import formats

MOST_ROWS = 60
INK = "#1c2430"
MUTED = "#6b7480"
RULE = "#d5dae0"
PRIMARY = "#1f5a96"
ACCENT = "#c8500a"
GOOD = "#11806a"
# Blue, vermilion, green, purple, ochre, sky, grey: the hues of Okabe & Ito (2008), darkened until text and thin lines read on white.
PALETTE = (PRIMARY, ACCENT, GOOD, "#9a4f86", "#b07d00", "#4796c4", MUTED)
# A second cue beside colour, for print in grey and for readers who see no hue.
DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)), (0, (9, 2)), (0, (3, 1.5)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

Size = Literal["wide", "square", "tall"]
# Inches at 96 px an inch: as wide as the page's text column.
SIZES: dict[Size, tuple[float, float]] = {"wide": (7.3, 3.8), "square": (6.0, 5.0), "tall": (7.3, 6.0)}

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12.0,
    "axes.labelsize": 10.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    # Names come from data: "$a$b_" is a name, not a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    # Outlines: Vietnamese letters look the same on a computer that lacks the font.
    "svg.fonttype": "path",
    "svg.hashsalt": "collect-analysis",
}


def new_axes(size: Size = "wide", *, rows: int | None = None) -> Axes:
    """Axes on a new figure in the house style; with `rows` as tall as that many lines need (a forest of 20 units is taller than one of 3).

    The style is set for the process, as later calls (legends, annotations, seaborn) read it too. No window and no pyplot state is made.
    """
    matplotlib.rcParams.update(STYLE)
    width, height = SIZES[size]
    return Figure(figsize=(width, height if rows is None else 1.2 + 0.38 * max(rows, 2))).subplots()


def first_rows(table: pd.DataFrame) -> pd.DataFrame:
    """As many rows as a person can tell apart in one drawing, one line each."""
    return table.head(MOST_ROWS)


def note_cut(axes: Axes, rows: int, lang: str) -> None:
    """Say below a drawing that it shows fewer rows than there are."""
    if rows > MOST_ROWS:
        said = texts.say("table_cut", lang, shown=MOST_ROWS, rows=formats.number(rows, lang))
        axes.annotate(said, (0, 0), xycoords="axes fraction", xytext=(0, -42), textcoords="offset points", color=MUTED, fontsize=9)


def nothing(reason: str) -> Axes:
    """A strip that says why there is no figure."""
    axes = new_axes()
    axes.figure.set_figheight(0.7)  # type: ignore[union-attr]
    axes.set_axis_off()
    axes.text(0.0, 0.5, reason, transform=axes.transAxes, va="center", color=MUTED)
    return axes


def svg(figure: Figure) -> bytes:
    """The drawing as SVG, the same bytes for the same drawing on every computer with the same libraries."""
    with matplotlib.rc_context(STYLE):
        out = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def percent_axis(axis, lang: str, *, digits: int | None = None) -> None:
    """Write the ticks of `axes.xaxis` or `axes.yaxis`, shares 0-1, as percentages."""
    _write_ticks(axis, 0.01, lambda number, places: f"{formats.number(number, lang, digits=places)} %", digits)


def number_axis(axis, lang: str, *, digits: int | None = None) -> None:
    """Write the ticks of `axes.xaxis` or `axes.yaxis` as the language writes numbers."""
    _write_ticks(axis, 1.0, lambda number, places: formats.number(number, lang, digits=places), digits)


def money_axis(axis, most_minor: float, currency: str, lang: str) -> str:
    """Write the ticks of an axis that holds minor units in a readable unit; returns the unit's name for the axis label."""
    scale = formats.money_scale(most_minor, currency, lang)
    _write_ticks(axis, scale.divisor, lambda number, places: formats.number(number, lang, digits=places), None)
    return scale.unit


def outcome_axis(axis, unit: str, label: str, *, currency: str, lang: str) -> None:
    """Write an axis that holds numbers in `unit` as tables write them, and name it `label`: shares as percentages, money in a readable unit.

    For any number that is money here and a share there: call it last, when all is drawn, as the unit of money goes by what the axis shows.
    """
    named = label
    if unit == "share":
        percent_axis(axis, lang)
    elif unit == "minor":
        money = money_axis(axis, max(abs(edge) for edge in axis.get_view_interval()), currency, lang)
        named = f"{label} ({money})" if label else money
    else:
        number_axis(axis, lang)
    axis.set_label_text(named)


def _write_ticks(axis, unit: float, write: Callable[[float, int], str], digits: int | None) -> None:
    def written(value: float, _position: object) -> str:
        ticks = [tick / unit for tick in axis.get_majorticklocs()]
        # Rounding takes away what binary fractions add (0.30000000000000004).
        return write(round(value / unit, 10), _digits_between(ticks) if digits is None else digits)

    axis.set_major_formatter(FuncFormatter(written))


def _digits_between(ticks: list[float]) -> int:
    """Digits after the point that tell neighbouring ticks apart."""
    for digits in range(6):
        if all(abs(tick - round(tick, digits)) < 1e-9 * max(abs(tick), 1.0) for tick in ticks):
            return digits
    return 6
