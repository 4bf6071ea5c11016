"""The planted invoices: clean agencies bill to the unit, the others differ by exactly the money of their mistakes."""

import pandas as pd


def test_every_invoice_differs_from_the_right_one_by_its_planted_mistakes(truth) -> None:
    invoices = truth["invoices"]["by_invoice"]
    assert len(invoices) == 72
    assert all(row["billed_minor"] - row["right_minor"] == sum(row["differences"].values()) for row in invoices.values())
    clean = [row for name, row in invoices.items() if name[4:8] in truth["invoices"]["clean"]]
    assert len(clean) == 24
    assert all(not row["differences"] for row in clean)


def test_every_planted_mistake_is_in_the_shop(truth) -> None:
    found = {(name[4:8], reason) for name, row in truth["invoices"]["by_invoice"].items() for reason in row["differences"]}
    assert found == {
        ("ag-b", "outside_placement"),
        ("ag-b", "not_eligible"),
        ("ag-d", "reversed"),
        ("ag-d", "double_billed"),
        ("ag-e", "wrong_rate"),
        ("ag-e", "unbilled"),
        ("ag-f", "commission_arithmetic"),
        ("ag-f", "tax_arithmetic"),
    }


def test_the_lines_add_up_to_the_foot_of_the_invoice_and_to_the_truth(frame, truth) -> None:
    lines = frame("invoice_line")
    billed = (lines["commission_minor"] + lines["tax_minor"]).groupby(lines["invoice_id"]).sum()
    foot = lines.groupby("invoice_id")["invoice_total_minor"].agg(["min", "max"])
    assert (foot["min"] == billed).all()
    assert (foot["max"] == billed).all()
    pd.testing.assert_series_equal(
        billed, pd.Series({name: row["billed_minor"] for name, row in truth["invoices"]["by_invoice"].items()}), check_names=False
    )
