"""Randomised experiments: who is assigned to which arm, and the payers held back in the worse arm."""

from dataclasses import dataclass, field

import numpy as np

from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.paying import LATE
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.plants import EXPERIMENTS, PLANTS, held_back

CHAMPION, CHALLENGER = 0, 1
ARMS = ("champion", "challenger")
PAYER, TIMING, MINUTES, AA = range(4)
# A few accounts of the draw leave the book between the last month end and the day of assignment.
DRAW_RESERVE = 1.012
DELAY_FROM_DAYS, DELAY_TO_DAYS = 31, 179
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

    def __post_init__(self) -> None:
        count = self.people.count
        self.experiment = np.full(count, -1, dtype=np.int8)
        self.arm = np.full(count, -1, dtype=np.int8)
        self.day = np.full(count, -1, dtype=np.int64)
        self._taken = np.zeros(self.people.customers, dtype=bool)
        draw = self.rng.random((self.people.customers, 2))
        self._entry_experiment = np.where(draw[:, 0] < 0.5, MINUTES, AA).astype(np.int8)
        self._entry_arm = (draw[:, 1] < 0.5).astype(np.int8)
        self._prone = self.rng.random((2, self.people.customers))

    @property
    def stock_day(self) -> int:
        """Day on which the stock is assigned."""
        return self.span.end - PLANTS.assigned_days_before_end

    @property
    def entry_days(self) -> tuple[int, int]:
        """First and last day on which new debts are assigned."""
        return self.stock_day + 1, self.span.end - PLANTS.last_entry_days_before_end

    def assign_stock(self, accounts: np.ndarray, stage: np.ndarray) -> None:
        """On the stock day: debts open and overdue at the last month end, by customer; exp-timing takes those who are late throughout."""
        overdue = accounts[stage >= 1]
        customer = self.people.customer[overdue]
        size = np.bincount(customer, minlength=self.people.customers)
        early = np.bincount(customer, stage[stage >= 1] < LATE, minlength=self.people.customers)
        order = self.rng.permutation(np.flatnonzero(size))
        late_only = order[early[order] == 0]
        timing = self._take(late_only, size, TIMING)
        payer = self._take(order[~np.isin(order, timing)], size, PAYER)
        for experiment, chosen in ((TIMING, timing), (PAYER, payer)):
            arm_of = np.full(self.people.customers, -1, dtype=np.int8)
            arm_of[chosen] = self.rng.permutation(np.arange(len(chosen)) % 2)
            inside = arm_of[customer] >= 0
            self._record(overdue[inside], experiment, arm_of[customer[inside]], self.stock_day)
        self._hold_back(PAYER, HOLD_PAYER)

    def assign_entries(self, accounts: np.ndarray) -> None:
        """New debts up to 180 days past due of customers in no other experiment, on the day they enter."""
        opened = self.people.open_day[accounts]
        first, last = self.entry_days
        customer = self.people.customer[accounts]
        fits = (opened >= first) & (opened <= last) & ~self._taken[customer] & (self.people.entry_dpd[accounts] <= 180)
        chosen, customer = accounts[fits], customer[fits]
        experiment = self._entry_experiment[customer]
        for code in (MINUTES, AA):
            inside = experiment == code
            self._record(chosen[inside], code, self._entry_arm[customer[inside]], opened[fits][inside])
        self._hold_back(MINUTES, HOLD_MINUTES)

    def withdraw(self, accounts: np.ndarray) -> None:
        """Accounts that left the book before the day of assignment were never assigned."""
        self.experiment[accounts] = -1
        self.arm[accounts] = -1
        self.day[accounts] = -1

    def delayed(self, accounts: np.ndarray, day: np.ndarray, part: np.ndarray, share: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Which part payments of the champion of exp-timing come later than within 30 days: `share` of the cash is in part payments."""
        held = held_back(EXPERIMENTS[TIMING].early_cash_effect) / share
        champion = (self.experiment[accounts] == TIMING) & (self.arm[accounts] == CHAMPION)
        return champion & part & (day >= self.stock_day) & (day <= self.stock_day + 30) & (uniform < held)

    def _take(self, customers: np.ndarray, size: np.ndarray, experiment: int) -> np.ndarray:
        wanted = 2 * EXPERIMENTS[experiment].share_of_accounts * self.people.count * DRAW_RESERVE
        chosen = customers[: np.searchsorted(np.cumsum(size[customers]), wanted)]
        self._taken[chosen] = True
        return chosen

    def _record(self, accounts: np.ndarray, experiment: int, arm: np.ndarray, day: np.ndarray | int) -> None:
        self.experiment[accounts] = experiment
        self.arm[accounts] = arm
        self.day[accounts] = day

    def _hold_back(self, experiment: int, cause: int) -> None:
        plan = EXPERIMENTS[experiment]
        prone = self._prone[0 if cause == HOLD_PAYER else 1] < held_back(plan.payer_effect)
        worse = np.flatnonzero((self.experiment == experiment) & (self.arm == CHAMPION) & prone[self.people.customer])
        self.held.set(cause, worse, self.day[worse], self.day[worse] + plan.horizon_days)
