"""What a KPI is: one frozen record, hashed together with the windows it uses."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from collect_analysis.measures.periods import KpiWindows

# The same words in English and in Vietnamese.
Pair = tuple[str, str]
# cases: the numerator counts cases of the denominator (Wilson). ratio: a ratio of sums (delta method over debtors). total: a sum.
Interval = Literal["cases", "ratio", "total"]
Better = Literal["higher", "lower", "context"]
Kind = Literal["ratio", "total", "table"]
# What the record says of itself only where it differs: an addition to the record leaves the hashes of the others alone.
_ADDED = {"parts": 1, "signed": False, "measure": ""}


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One KPI of the dictionary; wording in English and Vietnamese side by side.

    A ratio or a total is counted on the fact relation `base` (`bases.BASES`): `counted` and `over` name the columns of it that are summed
    into numerator and denominator, in whole numbers of one `parts`-th. Anything else (a median, a matrix, a forecast) has its own function
    and names it in `measure` (`table_measures.TABLE_MEASURES`). `unit` is the unit of the value after `scale`; `part` says that the
    numerator is a part of the denominator, so that no value exceeds 1; `signed` that it may be below 0; `outside` why a share may lie
    outside 0 to 1, which no other may. `grains` are the scopes it has a meaning for, `needs` the tables without which it has none, besides
    those of its relation, `windows` the names of the windows it uses, `undefined` why it has no value where the denominator is 0, `source`
    the section of the trade's reference.
    """

    id: str
    names: Pair
    formula: Pair
    population: Pair
    grain: Pair
    numerator: Pair
    denominator: Pair
    unit: str
    better: Better
    source: str
    undefined: str
    base: str = ""
    counted: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    interval: Interval = "ratio"
    measure: str = ""
    scale: float = 1.0
    parts: int = 1
    part: bool = False
    signed: bool = False
    grains: tuple[str, ...] = ("company", "portfolio", "sub_function", "unit", "officer")
    needs: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    outside: Pair = ("", "")
    pitfalls: tuple[Pair, ...] = ()

    @property
    def kind(self) -> Kind:
        """How it is computed: a ratio of sums, a sum, or a table of its own."""
        if self.measure:
            return "table"
        return "total" if self.interval == "total" else "ratio"

    @property
    def bounded(self) -> bool:
        """Whether it is a share that cannot lie outside 0 to 1: one whose record does not say why it may."""
        return self.unit == "share" and not self.outside[0]

    @property
    def computed(self) -> str:
        """Where: the function, or the relation and the columns that are summed."""
        if self.measure:
            return f"measures.{self.measure}"
        return f"{self.base}: {' + '.join(self.counted)}" + (f" / {' + '.join(self.over)}" if self.over else "")

    def name(self, lang: str) -> str:
        """The name in `lang`."""
        return said(self.names, lang)

    def definition(self, windows: KpiWindows) -> str:
        """Id and hash of the definition, for example `C8@1f0c9a2b`: another formula, population or window gives another hash.

        Names, pitfalls and the Vietnamese words are wording and do not enter.
        """
        body: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        body |= {name: getattr(self, name)[0] for name in ("formula", "population", "grain", "numerator", "denominator")}
        body |= {name: getattr(self, name) for name, default in _ADDED.items() if getattr(self, name) != default}
        body["windows"] = {name: getattr(windows, name) for name in self.windows}
        return f"{self.id}@{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8]}"


_PLAIN = ("id", "unit", "better", "base", "counted", "over", "interval", "undefined", "scale", "part", "grains")


def said(pair: Pair, lang: str) -> str:
    """One of the two languages of a pair."""
    return pair[1] if lang == "vi" else pair[0]
