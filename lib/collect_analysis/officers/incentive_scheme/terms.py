"""What a pay scheme may be made of, what may be moved under it, and when it may be adopted: plain terms, no arithmetic."""

from dataclasses import dataclass

INDEX, ATTAINMENT = "index", "attainment"
BASES = (INDEX, ATTAINMENT)
# What never earns: whoever is paid for promises gets promises, not money.
PROMISE_COUNTS = ("promises", "promises_taken", "promise_count", "promise_counts", "ptp", "ptp_count", "ptps", "C5", "C6", "C7")


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What can be done without collecting more. Shares 0-1.

    `movable_share`: of a month's money that can be booked in the month beside it, or under a colleague. `parked_expected`, `parked_cash`: share
    of what is expected, and of the money, that the accounts hold of which an officer knows best that they will not pay; `parked_lost`: of that
    money, lost if nobody works them. `stuffed_share`: sure promises that can be taken on top, of promises due. `waiver_share`: waived per unit of
    money brought forward. `moved_accounts`: accounts with a known payment that can be re-assigned in a month.
    """

    movable_share: float = 0.10
    parked_expected: float = 0.10
    parked_cash: float = 0.03
    parked_lost: float = 0.5
    stuffed_share: float = 0.25
    waiver_share: float = 0.10
    moved_accounts: int = 1


@dataclass(frozen=True, kw_only=True)
class SchemeRules:
    """When a scheme may be adopted: exploitability of each way of gaming, luck share, and cost of the next quarter (high bound) at most."""

    most_exploitable: float = 0.03
    most_luck: float = 0.5
    most_cost_minor: int | None = None
