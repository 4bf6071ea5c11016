"""The months pass: debts enter, are held by teams and agencies, pay or do not, roll, cure and leave."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.book.sample import paying, placing, workforce
from collect_analysis.book.sample.assigning import DELAY_TO_DAYS, EARLY_DAYS, Assignments, HeldBack, nobody_held_back
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.history import Draw, History, MonthWork
from collect_analysis.book.sample.people import REGIONS, People
from collect_analysis.book.sample.placing import Placements
from collect_analysis.book.sample.plants import PLANTS, rollout_factor
from collect_analysis.book.sample.position import (
    OPEN,
    PAID_OFF,
    RECALLED,
    SETTLED,
    SOLD,
    WRITTEN_OFF,
    MonthEnds,
    Position,
    opening_position,
)
from collect_analysis.book.sample.visiting import VisitRule
from collect_analysis.book.sample.workforce import Workforce

REDEFAULT, CALM_MONTHS = 0.07, 3
RECALL, WRITE_OFF, SALE, REAGE = 0.017, 0.012, 0.14, 0.006
SALE_EVERY_MONTHS, SALE_MONTH = 12, 8
LEGAL_BALANCE_MINOR, LEGAL_SHARE, FIELD_SHARE = 60_000_000, 0.25, 0.2
REGION_SPREAD = 0.07
# The opening month has more payers than the average month: later ones are that much noisier for an officer.
NOISE_LATER = 1.2


@dataclass(frozen=True)
class Rollout:
    """Month in which each region starts (-1: never) and how large its effect grows."""

    start: np.ndarray
    size: np.ndarray
    wave: np.ndarray


def make_rollout(months: int) -> Rollout:
    """Three waves of regions and a group that never starts; every fourth region of the list belongs to the same wave."""
    wave = np.arange(len(REGIONS)) % 4 - 1
    start = np.array([-1, *(months - before for before in PLANTS.rollout_months_before_end)])[wave + 1]
    size = np.array([0.0, *PLANTS.rollout_sizes])[wave + 1]
    return Rollout(start=start, size=size, wave=wave)


class Simulation:
    """One run of the shop; `run` returns its history."""

    def __init__(self, people: People, staff: Workforce, span: Span, rng: np.random.Generator) -> None:
        streams = rng.spawn(5)
        self.people, self.staff, self.span, self.rng = people, staff, span, streams[0]
        self.held: HeldBack = nobody_held_back(people.count)
        self.assignments = Assignments(people, span, streams[1], self.held)
        self.placements = Placements(people, span, streams[2])
        self.visits = VisitRule(people, span, streams[3], self.held)
        self.position: Position = opening_position(people)
        self.month_ends = MonthEnds()
        self.history = History(span.months, staff.officers)
        self.rollout = make_rollout(span.months)
        self.region_factor = np.exp(streams[4].normal(0.0, REGION_SPREAD, len(REGIONS)))
        self.portfolio = people.portfolio
        self.legal = (people.original > LEGAL_BALANCE_MINOR) & (people.luck[:, 1] < LEGAL_SHARE)

    def run(self) -> History:
        """All months, one after the other."""
        opening = np.flatnonzero(self.people.entry_month < 0)
        self.position.active[opening] = True
        unit, officer = self._holders(opening)
        none = np.zeros(len(opening), dtype=np.int8)
        self.month_ends.note(
            self.people, self.position, opening, day=self.span.start - 1, status=none, reaged=none.astype(bool), unit=unit, officer=officer
        )
        for month in range(self.span.months):
            self._month(month)
        self.history.finish(self.staff, self.rollout, self.region_factor)
        return self.history

    def _month(self, month: int) -> None:
        arrivals = np.flatnonzero(self.people.entry_month == month)
        self.history.entries.append((int(self.position.active.sum()), len(arrivals)))
        self.position.active[arrivals] = True
        stay = np.flatnonzero(self.position.active & (self.people.entry_month < month))
        stage, balance = paying.stage_of(self.position.dpd[stay]), self.position.balance(stay)
        self.placements.end_due(month, stay)
        self.placements.start(month, stay, self.position.dpd[stay], balance, barred=self.legal[stay])
        inside = self.placements.agency[stay] < 0
        self.visits.judge(month, stay[inside], stage[inside], balance[inside])
        if self.span.first[month] <= self.assignments.stock_day <= self.span.last[month]:
            self.assignments.assign_stock(stay, stage)
        self.assignments.assign_entries(arrivals)
        work = self._open_month(month, np.sort(np.concatenate([stay, arrivals])))
        draw = self._payments(month, work)
        self._close_month(month, work, draw)

    def _open_month(self, month: int, ids: np.ndarray) -> MonthWork:
        unit, officer = self._holders(ids)
        stage = paying.stage_of(self.position.dpd[ids])
        first, last = int(self.span.first[month]), int(self.span.last[month])
        return MonthWork(
            month=month,
            account=ids,
            unit=unit,
            officer=officer,
            stage=stage,
            bucket=paying.bucket_of(self.position.dpd[ids]),
            balance=self.position.balance(ids),
            since=np.maximum(first, self.people.open_day[ids] + (self.people.entry_month[ids] == month)),
            until=np.full(len(ids), last),
            top=self.placements.top[ids],
        )

    def _holders(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stage, luck = paying.stage_of(self.position.dpd[ids]), self.people.luck[ids]
        tele = workforce.FIRST_TELE + (luck[:, 2] * 6).astype(np.int64)
        field = workforce.FIRST_FIELD + (luck[:, 2] * 3).astype(np.int64)
        unit = np.where((stage >= 5) & (luck[:, 1] > 1 - FIELD_SHARE), field, tele)
        unit = np.where(self.legal[ids] & (stage >= 5), workforce.LEGAL_UNIT, unit)
        unit = np.where(stage <= 1, workforce.SOFT, unit)
        agency = self.placements.unit(ids)
        unit = np.where(agency >= 0, agency, unit)
        return unit, self.staff.officer_of(unit, luck[:, 0])

    def _chance(self, month: int, work: MonthWork) -> tuple[np.ndarray, np.ndarray]:
        """Chance to pay this month, without and with the officer's skill."""
        ids, person = work.account, self.people
        plain = paying.base_chance(work.stage, person.product[ids], person.score_band[ids], work.balance, person.frailty[ids])
        region = person.region[ids]
        strategy = np.where(work.stage > paying.EARLY, rollout_factor(month, self.rollout.start, self.rollout.size)[region], 1.0)
        plain *= self.span.season[month] * self.region_factor[region] * strategy * self.placements.factor(month, ids)
        weight = np.concatenate([[0.0], np.cumsum(self.span.pay_weight)])
        first, last = int(self.span.first[month]), int(self.span.last[month])
        rest = (weight[last + 1 - self.span.start] - weight[work.since - self.span.start]) / (
            weight[last + 1 - self.span.start] - weight[first - self.span.start]
        )
        plain *= np.where(work.since > first, rest, 1.0)
        if month == 0:
            self._settle_skill(work, np.minimum(plain, paying.MOST))
        skilled = (work.officer >= 0) & (work.stage > paying.EARLY)
        skill = np.where(skilled, self.staff.skill[np.maximum(work.officer, 0)], 1.0)
        return np.minimum(plain, paying.MOST), np.minimum(plain * skill, paying.MOST)

    def _settle_skill(self, work: MonthWork, chance: np.ndarray) -> None:
        """Spread of skill that gives the planned reliability, between / (between + noise of one month) of a tele officer."""
        tele = workforce.UNIT_KIND[work.unit] == workforce.TELE
        officer, stage, bucket = work.officer[tele], work.stage[tele], work.bucket[tele]
        mean = chance[tele] * paying.expected_fraction(stage, bucket) * work.balance[tele]
        square = chance[tele] * paying.square_fraction(stage, bucket) * work.balance[tele].astype(float) ** 2
        expected = np.bincount(officer, mean, minlength=self.staff.officers)
        noise = np.bincount(officer, square, minlength=self.staff.officers)
        held = expected > 0
        wanted = PLANTS.officer_reliability / (1 - PLANTS.officer_reliability)
        spread = np.sqrt(wanted * NOISE_LATER * np.mean(noise[held] / expected[held] ** 2))
        self.history.skill_spread = float(min(spread, 0.5))
        self.staff = workforce.draw_skill(self.staff, self.history.skill_spread, self.rng)

    def _payments(self, month: int, work: MonthWork) -> Draw:
        plain, chance = self._chance(month, work)
        cash = plain * paying.expected_fraction(work.stage, work.bucket) * work.balance
        self.history.expect(month, work, self.portfolio, cash)
        uniform = self.rng.random((4, len(work.account)))
        day = self.span.draw(self.span.pay_weight, work.since, work.until, uniform[1])
        payer = np.flatnonzero((uniform[0] < chance) & (day >= 0) & (day > self.assignments.quiet_until[work.account]))
        account, stage, bucket, day = work.account[payer], work.stage[payer], work.bucket[payer], day[payer]
        outcome = paying.draw_outcome(stage, uniform[2][payer])
        amount = paying.draw_amount(stage, bucket, outcome, work.balance[payer], self.rng)
        outcome = np.where((amount == work.balance[payer]) & (outcome != paying.SETTLE), paying.PAYOFF, outcome)
        cause = self.held.causes(account, day)
        share = paying.share_left_open(stage, bucket)
        late = (cause == 0) & (outcome < paying.PAYOFF) & self.assignments.delayed(account, day, share, uniform[3][payer])
        self.history.hold_back(work, payer, day, amount, cause, late)
        self.assignments.keep_quiet(account[cause == 0])
        self._postpone(account[late], amount[late], outcome[late])
        real = (cause == 0) & ~late
        return Draw(row=payer[real], day=day[real], amount=amount[real], outcome=outcome[real])

    def _postpone(self, account: np.ndarray, amount: np.ndarray, outcome: np.ndarray) -> None:
        entered = self.assignments.day[account]
        self.position.pending[account] = amount
        self.position.pending_outcome[account] = outcome
        self.position.pending_day[account] = self.rng.integers(entered + EARLY_DAYS + 1, entered + DELAY_TO_DAYS + 1)

    def _pending(self, work: MonthWork) -> Draw:
        """Postponed payments that come this month; nothing else comes from these debts meanwhile."""
        ids, due_day = work.account, self.position.pending_day[work.account]
        due = (self.position.pending[ids] > 0) & (due_day >= self.span.first[work.month]) & (due_day <= self.span.last[work.month])
        row = np.flatnonzero(due)
        draw = Draw(row=row, day=due_day[row], amount=self.position.pending[ids[row]], outcome=self.position.pending_outcome[ids[row]])
        self.position.pending[ids[row]] = 0
        return draw

    def _close_month(self, month: int, work: MonthWork, draw: Draw) -> None:
        draw = draw.with_more(self._pending(work))
        ids = work.account
        effect = np.full(len(ids), -1, dtype=np.int64)
        effect[draw.row] = draw.outcome
        paid = np.bincount(draw.row, draw.amount, minlength=len(ids)).astype(np.int64)
        status = np.select([effect == paying.PAYOFF, effect == paying.SETTLE], [PAID_OFF, SETTLED], OPEN).astype(np.int8)
        work.until[draw.row[status[draw.row] != OPEN]] = draw.day[status[draw.row] != OPEN]
        self.position.pay(ids, paid)
        stays = status == OPEN
        reaged = self._age(month, work, effect, stays)
        self.position.accrue(ids[stays])
        self._leave(month, work, status)
        settled = status == SETTLED
        waived = self.position.clear(ids[settled])
        self.history.settle(ids[settled], work.until[settled], paid[settled], work.balance[settled], waived)
        self.history.reage(ids[reaged], int(self.span.last[month]), self.position.balance(ids[reaged]))
        stuck = month == self.span.months - PLANTS.stuck_score_month_before_end
        self.position.age_score(ids, self.people.score[ids], paid > 0, self.rng, stuck=stuck)
        self.month_ends.note(
            self.people,
            self.position,
            ids,
            day=int(self.span.last[month]),
            status=status,
            reaged=reaged,
            unit=work.unit,
            officer=work.officer,
        )
        self.history.note_month(work, draw)

    def _age(self, month: int, work: MonthWork, effect: np.ndarray, stays: np.ndarray) -> np.ndarray:
        """Days past due at the close; returns who was made current by restructuring."""
        ids, dpd = work.account, self.position.dpd[work.account]
        passed = self.span.last[month] - np.maximum(self.span.first[month] - 1, self.people.open_day[ids])
        uniform = self.rng.random((2, len(ids)))
        quiet = self.assignments.quiet_until[ids] >= self.span.last[month]
        falls = 1 + (uniform[1] * 28).astype(np.int64)
        grown = np.where(dpd > 0, dpd + passed, np.where((uniform[0] < REDEFAULT) & ~quiet, falls, 0))
        aged = np.select([effect == paying.CURE, effect == paying.BACK, effect == paying.HOLD], [0, np.maximum(dpd - 30, 1), dpd], grown)
        eligible = stays & (effect < 0) & (work.stage >= 2) & (work.stage <= paying.LATE)
        reaged = eligible & (uniform[0] < REAGE)
        self.position.dpd[ids[stays]] = np.where(reaged, 0, aged)[stays]
        return reaged

    def _leave(self, month: int, work: MonthWork, status: np.ndarray) -> None:
        """Set the exits other than by payment and end what is bound to the account."""
        ids = work.account
        dpd, standing = self.position.dpd[ids], self.people.debt_status[ids]
        self.position.calm[ids] = np.where(dpd == 0, self.position.calm[ids] + 1, 0)
        uniform = self.rng.random((3, len(ids)))
        free = (status == OPEN) & (self.position.pending[ids] == 0)
        sale = month % SALE_EVERY_MONTHS == SALE_MONTH
        choices = [
            free & (self.position.calm[ids] >= CALM_MONTHS),
            free & (dpd > 90) & (uniform[0] < RECALL),
            free & (dpd > 360) & (standing != 2) & (uniform[1] < WRITE_OFF),
            free & sale & (dpd > 720) & (uniform[2] < SALE),
        ]
        status[:] = np.select(choices, [RECALLED, RECALLED, WRITTEN_OFF, SOLD], status)
        out = status != OPEN
        reason = np.select(
            [status[out] <= SETTLED, status[out] == RECALLED, status[out] == SOLD],
            [placing.PAID, placing.RECALL, placing.SOLD],
            placing.WRITTEN_OFF,
        )
        self.placements.end(ids[out], work.until[out] + 1, reason)
        self.position.active[ids[out]] = False
        before = (self.assignments.day[ids] >= 0) & out & (work.until < self.assignments.day[ids])
        self.assignments.withdraw(ids[before])
