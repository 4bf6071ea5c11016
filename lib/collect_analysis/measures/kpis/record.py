"""What a KPI is: one frozen record, hashed together with the windows it uses."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from collect_analysis.measures.periods import KpiWindows

# cases: the numerator counts cases of the denominator (Wilson). ratio: a ratio of sums (delta method over debtors). total: a sum.
Interval = Literal["cases", "ratio", "total"]
Better = Literal["higher", "lower", "context"]


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One KPI of the dictionary.

    Texts without a language in their name are English. `base` names the fact relation it is counted on; `counted` and `over` name the
    columns of that relation that are summed into numerator and denominator. `unit` is the unit of the value after `scale`; `part`
    says that the numerator is a part of the denominator, so that no value exceeds 1. `grains` are the
    scopes it has a meaning for, `windows` the names of the windows it uses, `undefined` why it has no value where the denominator is 0,
    `source` the section of the trade's reference.
    """

    id: str
    name_en: str
    name_vi: str
    formula: str
    formula_vi: str
    population: str
    grain: str
    numerator: str
    denominator: str
    unit: str
    better: Better
    base: str
    counted: tuple[str, ...]
    over: tuple[str, ...]
    interval: Interval
    undefined: str
    source: str
    scale: float = 1.0
    part: bool = False
    grains: tuple[str, ...] = ("company", "portfolio", "sub_function", "unit", "officer")
    windows: tuple[str, ...] = ()
    pitfalls: tuple[str, ...] = field(default=())

    def name(self, lang: str) -> str:
        """The name in `lang`."""
        return self.name_vi if lang == "vi" else self.name_en

    def definition(self, windows: KpiWindows) -> str:
        """Id and hash of the definition, for example `C8@1f0c9a2b`: another formula, population or window gives another hash.

        Names and pitfalls are wording and do not enter.
        """
        body = {key: value for key, value in asdict(self).items() if key not in ("name_en", "name_vi", "formula_vi", "pitfalls", "source")}
        body["windows"] = {name: getattr(windows, name) for name in self.windows}
        return f"{self.id}@{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8]}"
