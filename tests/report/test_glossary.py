"""One word for one thing: every Vietnamese text, of pages and of the KPI dictionary, keeps to the glossary."""

import re

import pytest
from collect_analysis.measures.kpis import KPIS
from collect_analysis.report import texts

GLOSSARY = texts.glossary()
# Names of columns, tables and keys are no words of the trade; what stands in quotes of code is left out.
CODE = re.compile(r"`[^`]*`|\b\w+_\w+\b|\{\w+\}")
ENTRIES = [(f"{stem}:{place}", CODE.sub(" ", entry["en"]), CODE.sub(" ", entry["vi"])) for stem, place, entry in texts.entries()]
ENTRIES += [(f"kpi:{item.id}", item.names[0], item.names[1]) for item in KPIS.values()]
# Texts that tell the thing without naming it, or mean another thing by the English word.
OTHERWISE = {
    "kpi:C7": "hứa trả, a noun of its own",
    "kpi:C10": "hứa trả, a noun of its own",
    "kpi:C11": "hứa trả, a noun of its own",
    "agency_integrity:words.condition_ig_remittance_remedy": "the remittance account is a bank account",
    "kpi_period:words.kpi_answer_nothing": "the movement of accounts is one word, chuyển nhóm",
    "portfolio_flow:values.table_portfolio_flow.memory": "accounts are understood",
    "strategy_review:words.caveat_stratified": "what was assigned is understood",
    "test_monitor:words.condition_dose_steady_remedy": "accounts are understood",
    "incentive_scheme:words.condition_scheme_reversals_met": "officer-months are lượt",
    "incentive_scheme:labels.per_officer_minor": "mỗi người is short",
    "kpi_period:words.kpi_check_days_as_held": "an officer's day is ngày công",
    "officer_record_audit:labels.ra_days": "an officer's day is ngày công",
    "scorecard:words.scorecard_confidence_sure": "officers are understood",
    "scorecard:words.scorecard_caveat_accounts": "officers are understood",
    "incentive_scheme:words.condition_scheme_gates_remedy": "names of tables",
    "kpi_validation:values.kv_sign.stuffing": "the verb: hứa nhiều hơn",
    "portfolio_flow:words.flow_confidence_missed": "an interval promises a share",
    "portfolio_flow:words.condition_flow_forecasts_hold_met": "an interval promises a share",
    "portfolio_flow:words.condition_flow_forecasts_hold_unmet": "an interval promises a share",
    "agency_evaluation:labels.p_worse": "the champion among agencies is đối tác đối chứng",
    "strategy_review:words.condition_all_arms_compared_remedy": "names the parameter",
    "texts_overlap:words.condition_comparison_overlap_remedy": "names the parameter",
    "commission_invoice:values.parameter_commission_invoice.return_share": "the invoice is understood",
    "quasi_experiment:words.condition_treatment_recorded_unmet": "the side of the rule",
}


@pytest.mark.parametrize("term", GLOSSARY)
def test_nothing_is_called_by_another_word(term: str) -> None:
    wrong = [(place, word) for place, _, told in ENTRIES for word in GLOSSARY[term]["never"] if word in told.lower()]
    assert not wrong


def test_what_names_a_term_in_english_names_it_in_vietnamese() -> None:
    wrong = {
        place: term
        for term, words in GLOSSARY.items()
        for place, english, told in ENTRIES
        # The prose around tables tells more freely.
        if ":cells." not in place and re.search(rf"\b(?:{words['en']})\b", english, re.IGNORECASE) and words["vi"] not in told.lower()
    }
    assert {place: term for place, term in wrong.items() if place not in OTHERWISE} == {}
    assert set(wrong) == set(OTHERWISE), "what is allowed and not there any more"


def test_every_term_is_used() -> None:
    for term, words in GLOSSARY.items():
        assert any(
            re.search(rf"\b(?:{words['en']})\b", english, re.IGNORECASE) and words["vi"] in told.lower() for _, english, told in ENTRIES
        ), term
