"""The report kinds: one module each, named as its notebook."""

from collect_analysis.reporting.kinds.agency_evaluation import AgencyEvaluation
from collect_analysis.reporting.kinds.agency_integrity import AgencyIntegrity
from collect_analysis.reporting.kinds.commission_invoice import CommissionInvoice
from collect_analysis.reporting.kinds.drivers import Drivers
from collect_analysis.reporting.kinds.incentive_scheme import IncentiveScheme
from collect_analysis.reporting.kinds.kpi_period import KpiPeriod
from collect_analysis.reporting.kinds.kpi_validation import KpiValidation
from collect_analysis.reporting.kinds.officer_record_audit import OfficerRecordAudit
from collect_analysis.reporting.kinds.pace import Pace
from collect_analysis.reporting.kinds.placement_plan import PlacementPlan
from collect_analysis.reporting.kinds.portfolio_flow import PortfolioFlow
from collect_analysis.reporting.kinds.quasi_experiment import QuasiExperiment
from collect_analysis.reporting.kinds.rule_value import RuleValue
from collect_analysis.reporting.kinds.scorecard import Scorecard
from collect_analysis.reporting.kinds.strategy_review import StrategyReview
from collect_analysis.reporting.kinds.target_setting import TargetSetting
from collect_analysis.reporting.kinds.test_design import TestDesign
from collect_analysis.reporting.kinds.test_monitor import TestMonitor
from collect_analysis.reporting.typed_parameters import ReportParameters

KINDS: dict[str, type[ReportParameters]] = {
    model.kind: model
    for model in (
        StrategyReview,
        KpiPeriod,
        AgencyEvaluation,
        AgencyIntegrity,
        Drivers,
        TestDesign,
        TestMonitor,
        RuleValue,
        QuasiExperiment,
        PortfolioFlow,
        Pace,
        IncentiveScheme,
        Scorecard,
        TargetSetting,
        KpiValidation,
        OfficerRecordAudit,
        CommissionInvoice,
        PlacementPlan,
    )
}
