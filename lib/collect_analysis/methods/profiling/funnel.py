"""Funnel plots: which units lie outside what chance, and the usual scatter between units, would give."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from collect_analysis.methods.rates.count_ratios import limits, scores, tails
from collect_analysis.methods.rates.levels import INNER, OUTER

Floats = NDArray[np.float64]
Scatter = Literal["none", "additive", "multiplicative"]
LEVEL = 0.05
# Most scatter that is looked for: true ratios that differ by as much as they are, counts that do so by chance. Beyond, the mean of such a
# distribution is no longer near its middle, and a unit at its expectation would look far off.
_MOST_TAU = 1.0
_STEPS = 60
_REFERENCE_DRAWS = 20_000
COLUMNS = (
    "effective_cases", "inner_low", "inner_high", "outer_low", "outer_high", "z", "place", "scatter", "phi", "tau2", "scatter_p_value",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """Scatter of units that do alike, beyond chance.

    `p_value` of the test that there is none; `kind`: none, additive (`tau2`, the variance of true ratios between units) or multiplicative
    (`phi`, how many times the variance is that of chance); of the two the one not chosen is 0 and 1.
    """

    kind: Scatter
    phi: float
    tau2: float
    p_value: float
    units: int

    def sizes(self, expected: ArrayLike, size: ArrayLike) -> Floats:
        """As sure as a count of what is the expectation of each unit, what scatters between units included? See `count_ratios.tails`."""
        return _sizes(np.asarray(expected, dtype=float), np.asarray(size, dtype=float), tau2=self.tau2, phi=self.phi)


def _sizes(expected: Floats, size: Floats, *, tau2: float, phi: float) -> Floats:
    with np.errstate(divide="ignore"):
        return 1 / (1 / size + tau2 + (phi - 1) / expected)


@lru_cache(maxsize=64)
def _reference(units: int, winsor: float) -> float:
    """Mean of the winsorised squares of so many standard normal values: what winsorising takes away even where nothing is extreme."""
    z = np.random.default_rng(1).standard_normal((_REFERENCE_DRAWS, units))
    low, high = np.quantile(z, [winsor, 1 - winsor], axis=1, keepdims=True)
    return float((np.clip(z, low, high) ** 2).mean())


def _spread(z: Floats, winsor: float) -> float:
    """Mean square of winsorised values over what it is for normal ones: 1 for chance alone, whatever the extreme units do."""
    return float((np.clip(z, *np.quantile(z, [winsor, 1 - winsor])) ** 2).mean()) / _reference(len(z), winsor)


def dispersion(observed: ArrayLike, expected: ArrayLike, *, size: ArrayLike = np.inf, winsor: float = 0.10) -> Dispersion:
    """Do units scatter around their expectations beyond chance, how, and by how much, without letting the extreme ones decide?

    Test of none: Σz² against χ²(k) at 5 %, z of `count_ratios.scores`. If it fails: tau² is the variance between true ratios, phi the factor on
    the variance of chance, at which the winsorised z² have the mean that winsorised normal ones have (at their `winsor` and 1 - `winsor`
    quantiles): without that reference winsorising itself would hide a third of the scatter, and leave too many units outside. Kept is the
    one under which the units that are not extreme are likelier; additive if alike. Shapes (k,); `size` of the expectations.
    Undefined (NaN p-value, kind none): fewer than 3 units.
    Source: Spiegelhalter, Statistics in Medicine 24 (2005) 1185 and Qual Saf Health Care 14 (2005) 347 (additive and multiplicative,
    winsorised); Paule & Mandel, J Res Natl Bur Stand 87 (1982) 377 (solving for the variance).
    """
    o, e, s = np.broadcast_arrays(*(np.asarray(item, dtype=float) for item in (observed, expected, size)))
    k = len(o)
    if k < 3:
        return Dispersion(kind="none", phi=1.0, tau2=0.0, p_value=float("nan"), units=k)
    z = scores(o, e, size=s)
    p_value = float(stats.chi2.sf((z**2).sum(), k))
    if p_value >= LEVEL:
        return Dispersion(kind="none", phi=1.0, tau2=0.0, p_value=p_value, units=k)

    def excess(tau2: float, phi: float) -> float:
        return _spread(scores(o, e, size=_sizes(e, s, tau2=tau2, phi=phi)), winsor) - 1

    tau2 = _root(lambda value: excess(value, 1.0), np.linspace(0.0, _MOST_TAU, _STEPS) ** 2)
    phi = _root(lambda value: excess(0.0, value), np.geomspace(1.0, 1.0 + _MOST_TAU * float(np.median(e)), _STEPS))
    usual = (z >= np.quantile(z, winsor)) & (z <= np.quantile(z, 1 - winsor))
    added, multiplied = (
        float(_log_likelihood(o[usual], e[usual], _sizes(e, s, tau2=t, phi=f)[usual]).sum()) for t, f in ((tau2, 1.0), (0.0, phi))
    )
    kind: Scatter = "additive" if added >= multiplied else "multiplicative"
    if kind == "additive":
        return Dispersion(kind=kind, phi=1.0, tau2=tau2, p_value=p_value, units=k)
    return Dispersion(kind=kind, phi=phi, tau2=0.0, p_value=p_value, units=k)


def _root(excess: Callable[[float], float], at: Floats) -> float:
    """The first value at which no scatter is left over; the one that leaves least where some always is."""
    left = np.array([excess(float(value)) for value in at])
    gone = np.flatnonzero(left <= 0)
    if not len(gone):
        return float(at[left.argmin()])
    first = int(gone[0])
    return float(at[0]) if first == 0 else float(optimize.brentq(excess, at[first - 1], at[first], xtol=1e-9))


def _log_likelihood(observed: Floats, expected: Floats, size: Floats) -> Floats:
    """Log probability of a count under the negative binomial of `tails`; of whole counts, and smooth between them."""
    n = np.minimum(size, 1e12)
    ways = special.gammaln(observed + n) - special.gammaln(n) - special.gammaln(observed + 1)
    return ways + n * np.log(n / (n + expected)) + special.xlogy(observed, expected / (n + expected))


def funnel_table(units: pd.DataFrame, *, overdispersion: Dispersion, inner: float = INNER, outer: float = OUTER) -> pd.DataFrame:
    """Which units lie outside the funnel?

    `units`: unit_key, observed_count and expected_count (results, of money effective ones), expected_size (as sure as what count the
    expectation is). Adds effective_cases (1 / (1/expected + 1/size): an index as sure as a count of so many), z (`count_ratios.scores` with the
    usual scatter), inner_low, inner_high, outer_low, outer_high (`count_ratios.limits`, of O/E), `place`: above or below (outside the outer
    limits), high or low (between inner and outer), inside, or undefined; and scatter, phi, tau2, scatter_p_value, inner_level, outer_level,
    the same in every row.
    Sorted by unit_key. Undefined: nothing expected.
    """
    table = units.sort_values("unit_key", ignore_index=True).copy()
    o, e, s = (table[name].to_numpy(dtype=float) for name in ("observed_count", "expected_count", "expected_size"))
    with np.errstate(divide="ignore"):
        table["effective_cases"] = 1 / (1 / e + 1 / s)
    wide = overdispersion.sizes(e, s)
    table["inner_low"], table["inner_high"] = limits(e, level=inner, size=wide)
    table["outer_low"], table["outer_high"] = limits(e, level=outer, size=wide)
    table["z"] = scores(o, e, size=wide)
    fewer, more = tails(o, e, size=wide)
    rare_inner, rare_outer = (1 - inner) / 2, (1 - outer) / 2
    table["place"] = np.select(
        [np.isnan(fewer), more <= rare_outer, fewer <= rare_outer, more <= rare_inner, fewer <= rare_inner],
        ["undefined", "above", "below", "high", "low"],
        default="inside",
    )
    return table.assign(
        scatter=overdispersion.kind, phi=overdispersion.phi, tau2=overdispersion.tau2, scatter_p_value=overdispersion.p_value,
        inner_level=inner, outer_level=outer,
    )  # fmt: skip


def limit_curve(table: pd.DataFrame, *, points: int = 80) -> pd.DataFrame:
    """The funnel's lines between the smallest and the largest unit of `table` (of `funnel_table`), at the levels of that table.

    Columns: effective_cases, inner_low, inner_high, outer_low, outer_high, inner_level, outer_level. An expectation is taken to be as much
    surer than the result as it is for the unit in the middle. Undefined: empty without a unit of known size.
    """
    known = table.dropna(subset=["effective_cases"])
    if known.empty:
        return pd.DataFrame(columns=["effective_cases", "inner_low", "inner_high", "outer_low", "outer_high", "inner_level", "outer_level"])
    at = np.geomspace(known["effective_cases"].min() * 0.7, known["effective_cases"].max() * 1.2, points)
    share = float((known["effective_cases"] / known["expected_count"]).median())
    first = known.iloc[0]
    size = at / (1 - share) if share < 1 else np.full(points, np.inf)
    wide = _sizes(at / share, size, tau2=float(first["tau2"]), phi=float(first["phi"]))
    levels = {name: float(first[f"{name}_level"]) for name in ("inner", "outer")}
    bounds = {f"{name}_{side}": bound for name, level in levels.items()
              for side, bound in zip(("low", "high"), limits(at / share, level=level, size=wide), strict=True)}  # fmt: skip
    return pd.DataFrame({"effective_cases": at, **bounds}).assign(inner_level=levels["inner"], outer_level=levels["outer"])
