"""Policy files checked as a whole before anything starts: every version of every file, by the same typed readers that measures and decisions use."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path

from collect_analysis.agencies.placement_policy import AuditRule, GateLimits, PanelPolicy, RecallRule
from collect_analysis.agencies.score import ScorePolicy
from collect_analysis.agencies.shares import SharePolicy
from collect_analysis.book.policy import PolicyVersion, in_force, versions
from collect_analysis.errors import CollectError, DataError, ParameterError, nearest
from collect_analysis.measures.legal_limits import LegalLimits
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.officers.scorecard_rules import ScorecardRules
from collect_analysis.report.parameters import ReportParameters

# The mappings of policy `placement` and who reads each; what stands beside them is read by PanelPolicy.
_PLACEMENT = {"share": SharePolicy.of, "gates": GateLimits.of, "score": ScorePolicy.of, "recall": RecallRule.of}
# Mappings that a version may leave out: what they ask is then not asked.
_OPTIONAL = {"audit": AuditRule.of}
_PANEL = ("share_now_months", "prior_sd", "conduct_months", "recall_threshold")


def _placement(version: PolicyVersion) -> None:
    values = version.values
    known = (*_PLACEMENT, *_OPTIONAL, *_PANEL)
    problems = [f"policy placement: unknown key '{name}'; {nearest(str(name), known)}" for name in values if name not in known]
    for name, read in _PLACEMENT.items():
        if not isinstance(values.get(name), dict):
            problems.append(f"policy placement has no mapping '{name}'; add it")
        else:
            problems += _told(partial(read, values[name]))
    for name, read in _OPTIONAL.items():
        if name in values:
            given = values[name]
            problems += _told(partial(read, given)) if isinstance(given, dict) else [f"policy placement: {name} is no mapping"]
    problems += _told(partial(PanelPolicy.of, values))
    if problems:
        raise DataError(problems)


_READERS: dict[str, Callable[[PolicyVersion], object]] = {
    "kpi_windows": lambda version: KpiWindows.of(version.values),
    "legal_limits": LegalLimits.of,
    "placement": _placement,
    "scorecard": lambda version: ScorecardRules.of(version.values),
}


def problems_in(folder: Path) -> list[str]:
    """Everything that is wrong with the policy files of a folder: form, dates, unknown or missing values, wrong types, values out of range."""
    problems: list[str] = []
    for path in sorted(folder.glob("*.yml")):
        # Of a policy that no report reads only the form is known.
        read = _READERS.get(path.stem, str)
        try:
            found = versions(path.stem, folder=folder)
        except CollectError as error:
            problems += error.problems
            continue
        for version in found:
            problems += [f"{path.name}, version of {version.valid_from}: {problem}" for problem in _told(partial(read, version))]
    return problems


def require_policies(planned: Iterable[ReportParameters], folder: Path) -> None:
    """Refuse before anything is started.

    Raises
    ------
    ParameterError
        A policy file is wrong, or a report needs a policy that is missing or not in force on its day; all problems at once.
    """
    problems = problems_in(folder)
    if not problems:
        asked = dict.fromkeys((topic, _day(params)) for params in planned for topic in params.policies)
        for topic, day in asked:
            problems += _told(partial(in_force, topic, start=day, end=day, folder=folder))
    if problems:
        raise ParameterError(dict.fromkeys(problems))


def _day(params: ReportParameters) -> date:
    return getattr(params, "period_end", None) or params.as_of


def _told(act: Callable[[], object]) -> list[str]:
    """The problems an act refuses with; none where it goes through."""
    try:
        act()
    except CollectError as error:
        return list(error.problems)
    return []
