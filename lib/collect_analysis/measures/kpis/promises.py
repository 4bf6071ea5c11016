"""Promises falling due: kept, broken, and the cash they brought."""

from collect_analysis.measures.kpis.record import Kpi

_DUE = (
    "promises whose day falls in the period and whose grace has passed, by the unit and officer who took them",
    "lời hứa có ngày hẹn trong kỳ và đã hết thời gian ân hạn, theo đơn vị và nhân viên ghi nhận",
)
_WINDOWS = ("kept_threshold", "grace_days")
_FALLING_DUE = ("promises falling due", "số lời hứa đến hạn")


def _kpi(**given) -> Kpi:
    shared = {"source": "domain reference 2.3", "grain": ("unit or officer x month due", "đơn vị hoặc nhân viên x tháng đến hạn")}
    return Kpi(**{**shared, "population": _DUE, "base": "promises", "unit": "share", "better": "higher", "windows": _WINDOWS, **given})


KPIS = (
    _kpi(
        id="C8",
        names=("Kept promises", "Tỷ lệ giữ lời hứa"),
        formula=("promises falling due that were kept / promises falling due", "số lời hứa đến hạn được giữ / số lời hứa đến hạn"),
        numerator=("promises paid to the threshold by their day plus grace", "lời hứa được trả đủ ngưỡng trước khi hết ân hạn"),
        denominator=_FALLING_DUE,
        counted=("kept",),
        over=("due",),
        interval="cases",
        undefined="no promise fell due",
        pitfalls=(
            ("due in the period, not made in it", "tính theo ngày đến hạn trong kỳ, không theo ngày hứa"),
            ("one payment serves one promise", "một khoản thanh toán chỉ tính cho một lời hứa"),
            ("status reported by the source is not used", "không dùng trạng thái do nguồn báo"),
        ),
    ),
    _kpi(
        id="C9",
        names=("Kept promises, by amount", "Tỷ lệ giữ lời hứa theo số tiền"),
        formula=(
            "sum of min(paid in the window, promised) / sum promised",
            "tổng của min(số tiền trả trong thời hạn, số tiền hứa) / tổng số tiền hứa",
        ),
        numerator=("paid towards promises, each capped at what was promised", "số tiền trả cho lời hứa, mỗi lời hứa không quá số đã hứa"),
        denominator=("promised", "số tiền hứa"),
        counted=("covered_minor",),
        over=("promised_minor",),
        part=True,
        undefined="nothing was promised for the period",
        pitfalls=(("an overpayment does not count twice", "trả dư không được tính hai lần"),),
    ),
    _kpi(
        id="C10",
        names=("Broken promises", "Tỷ lệ thất hứa"),
        formula=(
            "1 - kept - partly kept - renegotiated, of promises falling due",
            "1 - giữ - giữ một phần - thương lượng lại, trên số lời hứa đến hạn",
        ),
        numerator=(
            "promises towards which nothing was paid and that were not renegotiated",
            "lời hứa không được trả đồng nào và không thương lượng lại",
        ),
        denominator=_FALLING_DUE,
        better="lower",
        counted=("broken",),
        over=("due",),
        interval="cases",
        undefined="no promise fell due",
        pitfalls=(
            ("the states exclude each other and add up to 1", "các trạng thái loại trừ nhau và cộng lại bằng 1"),
            (
                "renegotiated only where the source says so and another promise was made by the day promised: a late one hides a broken promise",
                "chỉ là thương lượng lại khi nguồn ghi như vậy và có lời hứa khác trước ngày hẹn: hứa lại muộn là che thất hứa",
            ),
        ),
    ),
    _kpi(
        id="C11",
        names=("Promise to cash", "Tỷ lệ hứa trả thành tiền"),
        formula=(
            "cash dealt to promises from the day they were made to the end of grace / promised",
            "số tiền phân cho lời hứa từ ngày hứa đến hết ân hạn / số tiền hứa",
        ),
        numerator=(
            "cash dealt to promises, each payment whole and to one promise",
            "tiền phân cho lời hứa, mỗi khoản nguyên vẹn và cho một lời hứa",
        ),
        denominator=("promised", "số tiền hứa"),
        counted=("paid_minor",),
        over=("promised_minor",),
        undefined="nothing was promised for the period",
        outside=(
            "can exceed 100 %: who pays more than promised counts in full; C9 caps it",
            "có thể vượt 100 %: trả nhiều hơn hứa được tính đủ; C9 có giới hạn",
        ),
        pitfalls=(("cash after a promise is not cash because of it", "tiền thu sau lời hứa chưa chắc nhờ lời hứa"),),
    ),
)
