"""Parameters of a check of partners' commission invoices."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from collect_analysis.report.parameters import Statement
from collect_analysis.report.period_parameters import PeriodParameters

if TYPE_CHECKING:
    from collect_analysis.agencies.invoice_check import Policy


class CommissionInvoice(PeriodParameters):
    """Is the partner's invoice right, to the unit?

    Every invoice whose period lies from `period_start` to `period_end` (over on `as_of`) is recomputed. `rounding`: commission and tax are
    rounded half up to the unit on each line, or once per invoice, as the contract says. `tolerance_minor`: a disputed amount up to that is
    paid all the same. `return_share`: an invoice of which a larger share is disputed goes back whole. `write_lines`: also write the list
    of disputed lines, one payment each, into the run folder.
    """

    kind: ClassVar[str] = "commission_invoice"
    statement: ClassVar[Statement] = "count"

    rounding: Literal["line", "invoice"] = "line"
    tolerance_minor: Annotated[int, Field(ge=0)] = 0
    return_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    write_lines: bool = False

    @property
    def policy(self) -> "Policy":
        """How the invoices are checked."""
        from collect_analysis.agencies.invoice_check import Policy

        return Policy(rounding=self.rounding, tolerance_minor=self.tolerance_minor, return_share=self.return_share)

    @model_validator(mode="after")
    def _over(self) -> Self:
        if problems := self.open_problems():
            raise ValueError("; ".join(problems))
        return self
