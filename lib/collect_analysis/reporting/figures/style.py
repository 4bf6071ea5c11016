"""One look for every figure: sizes, fonts, colours that colour-blind readers tell apart, and the same bytes for the same drawing."""

import io
from typing import Any, Literal

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from collect_analysis.reporting.texts import formats

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
SIZES: dict[Size, tuple[float, float]] = {"wide": (8.0, 3.9), "square": (6.4, 5.2), "tall": (8.0, 6.2)}

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


def new_axes(size: Size = "wide", *, rows: int = 1) -> Axes:
    """Axes on a new figure in the house style, for a figure of up to `rows` lines (a forest of 20 units is taller than one of 3).

    The style is set for the process, as later calls (legends, annotations, seaborn) read it too. No window and no pyplot state is made.
    """
    matplotlib.rcParams.update(STYLE)
    width, height = SIZES[size]
    return Figure(figsize=(width, max(height, 1.3 + 0.34 * rows))).subplots()


def svg(figure: Figure) -> bytes:
    """The drawing as SVG, the same bytes for the same drawing on every computer with the same libraries."""
    with matplotlib.rc_context(STYLE):
        out = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def percent_axis(axis, lang: str, *, digits: int | None = None) -> None:
    """Write the ticks of `axes.xaxis` or `axes.yaxis`, shares 0-1, as percentages."""

    def written(value: float, _position: object) -> str:
        places = formats.digits_for([tick * 100 for tick in axis.get_majorticklocs()], 2) if digits is None else digits
        return formats.share(round(value, 10), lang, digits=places)

    axis.set_major_formatter(FuncFormatter(written))


def number_axis(axis, lang: str, *, digits: int | None = None) -> None:
    """Write the ticks of `axes.xaxis` or `axes.yaxis` as the language writes numbers."""

    def written(value: float, _position: object) -> str:
        places = formats.digits_for(list(axis.get_majorticklocs()), 2) if digits is None else digits
        return formats.number(round(value, 10), lang, digits=places)

    axis.set_major_formatter(FuncFormatter(written))


def money_axis(axis, most_minor: float, currency: str, lang: str) -> str:
    """Write the ticks of an axis that holds minor units in a readable unit; returns the unit's name for the axis label."""
    scale = formats.money_scale(most_minor, currency, lang)

    def written(value: float, _position: object) -> str:
        ticks = [tick / scale.divisor for tick in axis.get_majorticklocs()]
        return formats.number(round(value / scale.divisor, 10), lang, digits=formats.digits_for(ticks, 2))

    axis.set_major_formatter(FuncFormatter(written))
    return scale.unit
