"""Randomised experiments: who is assigned to which arm, and the payers held back in the worse arm."""

from dataclasses import dataclass, field

import numpy as np

from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.plants import EXPERIMENTS, PLANTS, held_back

CHAMPION, CHALLENGER = 0, 1
ARMS = ("champion", "challenger")
PAYER, TIMING, MINUTES, AA = range(4)
# A few accounts of the draw leave the book between the last month end and the day of assignment.
DRAW_RESERVE = 1.012
MOST_DPD_TIMING, MOST_DPD_LATE = 90, 180
EARLY_DAYS, DELAY_TO_DAYS = 30, 179
# Causes that may hold a payment back: two experiments, a visit not made, an offer not made.
HOLD_PAYER, HOLD_MINUTES, HOLD_VISIT, HOLD_OFFER = range(4)
CAUSES = ("exp-payer", "exp-minutes", "field-visit", "discount-offer")


@dataclass
class HeldBack:
    """Days (inclusive) in which an account's payments are held back, one row per cause."""

    since: np.ndarray
    until: np.ndarray

    def set(self, cause: int, accounts: np.ndarray, since: np.ndarray | int, until: np.ndarray | int) -> None:
        """Hold these accounts back."""
        self.since[cause, accounts] = since
        self.until[cause, accounts] = until

    def causes(self, accounts: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Bit mask of the causes that hold a payment of `accounts` on `day` back; 0: none."""
        held = (self.since[:, accounts] <= day) & (day <= self.until[:, accounts])
        return (held * (1 << np.arange(len(CAUSES)))[:, None]).sum(axis=0)


def nobody_held_back(count: int) -> HeldBack:
    """Nobody is held back yet."""
    return HeldBack(np.full((len(CAUSES), count), 1 << 30, dtype=np.int64), np.full((len(CAUSES), count), -1, dtype=np.int64))


@dataclass
class Assignments:
    """Experiment and arm of every account (-1: none) and the day of assignment."""

    people: People
    span: Span
    rng: np.random.Generator
    held: HeldBack
    experiment: np.ndarray = field(init=False)
    arm: np.ndarray = field(init=False)
    day: np.ndarray = field(init=False)
    quiet_until: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count, customers = self.people.count, self.people.customers
        self.experiment = np.full(count, -1, dtype=np.int8)
        self.arm = np.full(count, -1, dtype=np.int8)
        self.day = np.full(count, -1, dtype=np.int64)
        self.quiet_until = np.full(count, -1, dtype=np.int64)
        self._of_customer = np.full(customers, -1, dtype=np.int8)
        draw = self.rng.random((2, customers))
        self._late_entry_experiment = np.where(draw[0] < 0.5, MINUTES, AA).astype(np.int8)
        self._entry_arm = (draw[1] < 0.5).astype(np.int8)
        self._prone = self.rng.random((2, customers))

    @property
    def stock_day(self) -> int:
        """Day on which the stock is assigned."""
        return self.span.end - PLANTS.assigned_days_before_end

    def assign_stock(self, accounts: np.ndarray, stage: np.ndarray) -> None:
        """On the stock day: debts open and overdue at the last month end, by customer, of customers in no other experiment."""
        overdue = accounts[stage > 0]
        customer = self.people.customer[overdue]
        size = np.bincount(customer, minlength=self.people.customers)
        order = self.rng.permutation(np.flatnonzero((size > 0) & (self._of_customer < 0)))
        wanted = 2 * EXPERIMENTS[PAYER].share_of_accounts * self.people.count * DRAW_RESERVE
        chosen = order[: np.searchsorted(np.cumsum(size[order]), wanted)]
        arm_of = np.full(self.people.customers, -1, dtype=np.int8)
        arm_of[chosen] = self.rng.permutation(np.arange(len(chosen)) % 2)
        inside = arm_of[customer] >= 0
        self._record(overdue[inside], PAYER, arm_of[customer[inside]], self.stock_day)
        self._hold_back(PAYER, HOLD_PAYER)

    def assign_entries(self, accounts: np.ndarray) -> None:
        """New debts on the day they enter: exp-timing before the stock day, exp-minutes and exp-aa after it, by customer."""
        opened, dpd = self.people.open_day[accounts], self.people.entry_dpd[accounts]
        customer = self.people.customer[accounts]
        early = (opened >= self.stock_day - PLANTS.timing_entry_days) & (opened < self.stock_day) & (dpd <= MOST_DPD_TIMING)
        late = (opened > self.stock_day) & (opened <= self.span.end - PLANTS.last_entry_days_before_end) & (dpd <= MOST_DPD_LATE)
        own = np.where(early, TIMING, np.where(late, self._late_entry_experiment[customer], -1))
        for code in (TIMING, MINUTES, AA):
            # A person is in one experiment for good, with all debts that enter while it takes people in.
            free = (self._of_customer[customer] < 0) | (self._of_customer[customer] == code)
            inside = free & (own == code)
            self._record(accounts[inside], code, self._entry_arm[customer[inside]], opened[inside])
        self._hold_back(MINUTES, HOLD_MINUTES)

    def withdraw(self, accounts: np.ndarray) -> None:
        """Accounts that left the book before the day of assignment were never assigned."""
        self.experiment[accounts] = -1
        self.arm[accounts] = -1
        self.day[accounts] = -1

    def delayed(self, accounts: np.ndarray, day: np.ndarray, share: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Which payments of the champion of exp-timing come later than within 30 days; `share` of the cash is in payments that may."""
        held = held_back(EXPERIMENTS[TIMING].early_cash_effect) / share
        champion = (self.experiment[accounts] == TIMING) & (self.arm[accounts] == CHAMPION)
        return champion & (day - self.day[accounts] <= EARLY_DAYS) & (uniform < held)

    def keep_quiet(self, accounts: np.ndarray) -> None:
        """A debt of exp-timing pays once within the horizon, soon or late, in both arms: moving cash then moves nothing else."""
        inside = accounts[self.experiment[accounts] == TIMING]
        self.quiet_until[inside] = self.day[inside] + EXPERIMENTS[TIMING].horizon_days

    def _record(self, accounts: np.ndarray, experiment: int, arm: np.ndarray, day: np.ndarray | int) -> None:
        self.experiment[accounts] = experiment
        self.arm[accounts] = arm
        self.day[accounts] = day
        self._of_customer[self.people.customer[accounts]] = experiment

    def _hold_back(self, experiment: int, cause: int) -> None:
        plan = EXPERIMENTS[experiment]
        prone = self._prone[0 if cause == HOLD_PAYER else 1] < held_back(plan.payer_effect)
        worse = np.flatnonzero((self.experiment == experiment) & (self.arm == CHAMPION) & prone[self.people.customer])
        self.held.set(cause, worse, self.day[worse], self.day[worse] + plan.horizon_days)
