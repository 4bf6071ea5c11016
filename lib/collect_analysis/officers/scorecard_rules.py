"""What policy `scorecard` says, typed; apart from what bands people, so that a file is checked at once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from collect_analysis.errors import DataError


@dataclass(frozen=True, kw_only=True)
class ScorecardRules:
    """Policy `scorecard`: when a figure may band people, and the limits of the gates; see parameters/policy/scorecard.yml."""

    least_reliability: float
    least_expected_payers: float
    level: float
    within: float
    prior_sd: float
    least_tenure_officers: int
    critical_qa_share: float
    hard_breaches_per_1000: float
    kept_of_colleagues: float

    def __post_init__(self) -> None:
        problems = [
            f"policy scorecard: {name} is {getattr(self, name)}; write a number between 0 and 1"
            for name in ("least_reliability", "level", "within", "critical_qa_share", "kept_of_colleagues")
            if not 0 <= getattr(self, name) <= 1
        ]
        problems += [
            f"policy scorecard: {name} is {getattr(self, name)}; write a number above 0"
            for name in ("least_expected_payers", "prior_sd", "least_tenure_officers")
            if not getattr(self, name) > 0
        ]
        if self.hard_breaches_per_1000 < 0:
            problems.append(f"policy scorecard: hard_breaches_per_1000 is {self.hard_breaches_per_1000}; write a number from 0")
        if problems:
            raise DataError(problems)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ScorecardRules":
        """The rules from the values of policy `scorecard`.

        Raises
        ------
        DataError
            A rule is missing, unknown or no number; all at once.
        """
        gates = values.get("gates")
        flat = {**{name: value for name, value in values.items() if name != "gates"}, **(gates if isinstance(gates, Mapping) else {})}
        names = [item.name for item in fields(cls)]
        problems = [f"policy scorecard has no '{name}'; add it" for name in names if name not in flat]
        problems += [f"policy scorecard: unknown rule '{name}'; known: {', '.join(names)}" for name in flat if name not in names]
        problems += [
            f"policy scorecard: {name} is {value!r}; write a number"
            for name, value in flat.items()
            if not isinstance(value, int | float) or isinstance(value, bool)
        ]
        if problems:
            raise DataError(problems)
        return cls(**flat)
