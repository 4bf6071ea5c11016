"""How much pay can a rational officer gain under a scheme without one more unit of money coming in?

Played on what officers really did, each officer alone against everybody else's history, with perfect foresight: an upper bound for one who
tries, and no claim that anybody did. Between knots a scheme is a straight line, so the best move lies at a knot or at its limit: it is found
exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collect_analysis.measures.gate_names import KEPT
from collect_analysis.officers.incentive_scheme.schemes import Attained, Floats, Scheme, Work, attained, exact_payouts, gate_values, ratio
from collect_analysis.officers.incentive_scheme.terms import Moves

TIMING, SPLITTING, PARKING, STUFFING, WAIVING, MOVING = "timing", "splitting", "parking", "stuffing", "waiving", "moving"
CHANNELS = (TIMING, SPLITTING, PARKING, STUFFING, WAIVING, MOVING)
# A gain below this share of an officer's mean pay is not worth the trouble.
WORTH_IT = 0.01
# Points of an even grid tried beside the knots, for teams and pooled months whose lines bend elsewhere.
_GRID = 9


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What a way of gaming brings: `gain` per officer (minor units over the months played), `months` played, `lost_minor` beyond pay."""

    gain: Floats
    months: int
    lost_minor: float = 0.0


def best_of(gains: Floats) -> Floats:
    """The largest gain over the last axis; doing nothing is always possible."""
    return np.clip(np.nan_to_num(gains).max(axis=-1), 0.0, None)


def timing(scheme: Scheme, work: Work, moves: Moves, *, forward_only: bool = False, waived: float = 0.0) -> Gains:
    """Payments booked in the month beside theirs (held back, or pulled forward), where that raises the pay of both months together.

    With attainment pooled over k months, moving x from month t to t + 1 takes x from the window that ends with t and adds it to the one that
    ends with t + k; all others hold both months. Months t = 1, 3, 5 ... are played, so that no money moves twice. `forward_only`: money is
    pulled into the earlier month by a waiver; `waived` of it never comes, and counts as collected unless the scheme deducts it.
    """
    k, months = scheme.pool_months, work.collected.shape[1]
    starts = np.arange(0, months - k, 2)
    found = attained(scheme, work)
    if not len(starts):
        return Gains(gain=np.zeros(len(work.officers)), months=0)
    early, late = starts, starts + k
    there = work.there[:, starts] & work.there[:, starts + 1]
    most = 0.0 if forward_only else moves.movable_share * np.nan_to_num(work.collected[:, starts])
    least = -moves.movable_share * np.nan_to_num(work.collected[:, starts + 1])
    moved = _candidates(scheme, found, early, late, least, np.broadcast_to(most, least.shape))
    # Pulling x forward by a waiver brings x less what was waived; a scheme that does not deduct counts it whole.
    credited = np.where(moved < 0, moved * (1 - waived if scheme.waivers_deducted else 1.0), moved)
    gains = _changed(scheme, found, early, -credited) + _changed(scheme, found, late, moved)
    gains = np.where(there[..., None], gains, 0.0)
    best = best_of(gains)
    place = np.nan_to_num(gains).argmax(axis=-1)
    pulled = np.take_along_axis(moved, place[..., None], axis=-1)[..., 0] * (best > 0)
    return Gains(gain=best.sum(axis=1), months=2 * len(starts), lost_minor=float(waived * np.abs(pulled).sum()))


def _candidates(scheme: Scheme, found: Attained, early: np.ndarray, late: np.ndarray, least: Floats, most: Floats) -> Floats:
    """Amounts worth trying: the limits, an even grid, and those that put either window on a knot. Shape (officers, starts, amounts)."""
    grid = [least + share * (most - least) for share in np.linspace(0, 1, _GRID)]
    knots = [found.got[:, early] - knot * found.base[:, early] for knot in scheme.knots]
    knots += [knot * found.base[:, late] - found.got[:, late] for knot in scheme.knots]
    return np.clip(np.stack([*grid, *knots], axis=-1), least[..., None], most[..., None])


def _changed(scheme: Scheme, found: Attained, window: np.ndarray, more: Floats) -> Floats:
    """How pay of the windows changes if `more` money counts in them. Shapes: window (s,), more (n, s, c) -> (n, s, c)."""
    got, base, factor = (values[:, window][..., None] for values in (found.got, found.base, found.factor))
    team_got, team_base = (values[:, window][..., None] for values in (found.team_got, found.team_base))
    after = scheme.pay(
        ratio(got + more, np.broadcast_to(base, more.shape)), ratio(team_got + more, np.broadcast_to(team_base, more.shape)), factor
    )
    return after - scheme.pay(ratio(got, base), ratio(team_got, team_base), factor)


def splitting(scheme: Scheme, work: Work, moves: Moves) -> Gains:
    """Payments booked under a colleague of the team, where that raises the pay of both together; only where whoever books them is credited."""
    if scheme.credit == "opening":
        return Gains(gain=np.zeros(len(work.officers)), months=work.collected.shape[1])
    return _between_colleagues(
        scheme, work, lambda month, giver: moves.movable_share * np.nan_to_num(work.collected[giver, month]), free=True
    )


def moving(scheme: Scheme, work: Work, moves: Moves) -> Gains:
    """An account re-assigned to a colleague just before a payment that is known: a payment of mean size counts for the colleague."""
    if scheme.moved_credit == "previous":
        return Gains(gain=np.zeros(len(work.officers)), months=work.collected.shape[1])
    size = ratio(work.collected, work.payers)

    def amount(month: int, giver: np.ndarray) -> Floats:
        return np.minimum(np.nan_to_num(size[giver, month]) * moves.moved_accounts, np.nan_to_num(work.collected[giver, month]))

    return _between_colleagues(scheme, work, amount, free=False)


def _between_colleagues(scheme: Scheme, work: Work, amount: Callable[[int, np.ndarray], Floats], *, free: bool) -> Gains:
    """Money moved within pairs of a team in each month: pairs are formed greedily by what both gain, nobody twice a month.

    `free`: any amount up to the limit, else exactly it. The teams' sums stay as they are. What both gain is told half and half.
    """
    k, months = scheme.pool_months, work.collected.shape[1]
    found = attained(scheme, work)
    own = (1 - scheme.team_share) * scheme.pay_per_point_minor
    total = np.zeros(len(work.officers))
    for month in range(months):
        windows = np.arange(month, min(month + k, months))
        for team in np.unique(work.team[work.there[:, month], month]):
            members = np.flatnonzero((work.team[:, month] == team) & work.there[:, month])
            if len(members) < 2:
                continue
            giver, taker = (side.ravel() for side in np.meshgrid(members, members, indexing="ij"))
            giver, taker = giver[giver != taker], taker[giver != taker]
            most = amount(month, giver)
            tried = _between_candidates(scheme, found, month, giver, taker, most) if free else most[:, None]
            gain = np.zeros(tried.shape)
            for window in windows:
                for side, sign in ((giver, -1.0), (taker, 1.0)):
                    got, base = found.got[side, window][:, None], np.broadcast_to(found.base[side, window][:, None], tried.shape)
                    change = scheme.points(ratio(got + sign * tried, base)) - scheme.points(ratio(np.broadcast_to(got, tried.shape), base))
                    gain += change * found.factor[side, window][:, None] * own
            _pair_up(best_of(gain), giver, taker, total)
    return Gains(gain=total, months=months)


def _between_candidates(scheme: Scheme, found: Attained, month: int, giver: np.ndarray, taker: np.ndarray, most: Floats) -> Floats:
    tried = [most]
    for knot in scheme.knots:
        tried += [found.got[giver, month] - knot * found.base[giver, month], knot * found.base[taker, month] - found.got[taker, month]]
    return np.clip(np.stack(tried, axis=-1), 0.0, most[:, None])


def _pair_up(gain: Floats, giver: np.ndarray, taker: np.ndarray, total: Floats) -> None:
    """Adds half of what each chosen pair gains to both; largest gains first."""
    taken: set[int] = set()
    for place in np.argsort(-gain, kind="stable"):
        if gain[place] <= 0:
            return
        pair = {int(giver[place]), int(taker[place])}
        if not pair & taken:
            taken |= pair
            for officer in pair:
                total[officer] += gain[place] / 2


def parking(scheme: Scheme, work: Work, moves: Moves) -> Gains:
    """Accounts of which least is hoped left unworked, where only worked accounts count in the expectation; what they would have paid is lost."""
    months = work.collected.shape[1]
    if scheme.expectation == "frozen":
        return Gains(gain=np.zeros(len(work.officers)), months=months)
    found = attained(scheme, work)
    own = ratio(found.got * (1 - moves.parked_cash), found.base * (1 - moves.parked_expected))
    team = ratio(found.team_got, found.team_base)
    gain = np.clip(scheme.pay(own, team, found.factor) - scheme.pay(ratio(found.got, found.base), team, found.factor), 0.0, None)
    lost = float((np.nan_to_num(work.collected) * (gain > 0)).sum()) * moves.parked_cash * moves.parked_lost
    return Gains(gain=np.nan_to_num(gain).sum(axis=1), months=months, lost_minor=lost)


def stuffing(scheme: Scheme, work: Work, moves: Moves) -> Gains:
    """Promises taken from those who pay anyway, where the kept rate gates pay: `stuffed_share` more promises, all kept."""
    months, gate = work.collected.shape[1], scheme.kept_gate
    if gate is None or KEPT not in work.counts:
        return Gains(gain=np.zeros(len(work.officers)), months=months)
    before = gate.factor(gate_values(KEPT, scheme, work))
    after = gate.factor(gate_values(KEPT, scheme, work, more=(moves.stuffed_share, moves.stuffed_share)))
    # Pay before the gate: a factor of 0 leaves nothing to divide by, so it is made anew without the gate.
    whole = exact_payouts(replace(scheme, gates=tuple(item for item in scheme.gates if item is not gate)), work)
    return Gains(gain=np.clip(np.nan_to_num(whole * (after - before)), 0.0, None).sum(axis=1), months=months)


def waiving(scheme: Scheme, work: Work, moves: Moves) -> Gains:
    """Money of the next month pulled forward at the month end by a waiver, which costs the company what is waived."""
    return timing(scheme, work, moves, forward_only=True, waived=moves.waiver_share)


GAMES: Mapping[str, Callable[[Scheme, Work, Moves], Gains]] = {
    TIMING: timing,
    SPLITTING: splitting,
    PARKING: parking,
    STUFFING: stuffing,
    WAIVING: waiving,
    MOVING: moving,
}


def score(scheme: Scheme, work: Work, moves: Moves, channel: str) -> dict[str, float]:
    """What one way of gaming brings under a scheme.

    share: pay gained over pay, if everybody who can does it (the exploitability score); per_officer_minor: pay gained per officer and month;
    officers_share: officers who gain more than `WORTH_IT` of their pay; cost_minor: pay gained and money lost, per month. Shares are NaN
    where nothing is paid.
    """
    found = GAMES[channel](scheme, work, moves)
    paid = exact_payouts(scheme, work)
    months = found.months
    mean = paid.sum(axis=1) / paid.shape[1] * months
    people = work.there.any(axis=1)
    total, gained = float(mean.sum()), float(found.gain.sum())
    per = 1 / months if months else float("nan")
    return {
        "share": gained / total if total > 0 else float("nan"),
        "per_officer_minor": gained * per / max(int(people.sum()), 1),
        "officers_share": float((found.gain[people] > WORTH_IT * np.maximum(mean[people], 1e-12)).mean()) if people.any() else float("nan"),
        "cost_minor": (gained + found.lost_minor) * per,
    }


def exploitability(scheme: Scheme, work: Work, moves: Moves) -> pd.DataFrame:
    """Every way of gaming a scheme: channel, and the numbers of `score`; in the order of `CHANNELS`."""
    return pd.DataFrame([{"channel": channel, **score(scheme, work, moves, channel)} for channel in CHANNELS])
