"""Design `overlap`: arms that a rule did not tell apart completely, compared at equal covariates."""

from matplotlib.axes import Axes

from collect_analysis.book.store import Book
from collect_analysis.errors import ParameterError
from collect_analysis.reporting.findings.study import Study
from collect_analysis.reporting.kinds.quasi_experiment import QuasiExperiment


def study(book: Book, params: QuasiExperiment) -> Study:
    """What did the treated arm do for the cases that could have been in either arm?"""
    raise ParameterError("design overlap is not built yet; write design: cut_off or roll_out")


def effect_figure(found: Study, params: QuasiExperiment) -> Axes:
    """Balance of the covariates before and after weighting."""
    raise NotImplementedError


def choices_figure(found: Study, params: QuasiExperiment) -> Axes:
    """The effect at other trimmings."""
    raise NotImplementedError
