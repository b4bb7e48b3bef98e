"""Controls: what must hold, as data, and the pure functions that hold facts against it."""

from opsproof.controls.evaluate import EVALUATOR, evaluate
from opsproof.controls.load import load, parse_controls
from opsproof.controls.model import Clause, Control, Text
from opsproof.controls.recompute import evaluate_inputs
from opsproof.controls.schema import check_schemas
from opsproof.controls.scope import Known, KnownSubject, evaluate_run
from opsproof.controls.waivers import Waiver, load_waivers, parse_waivers

__all__ = [
    "EVALUATOR",
    "Clause",
    "Control",
    "Known",
    "KnownSubject",
    "Text",
    "Waiver",
    "check_schemas",
    "evaluate",
    "evaluate_inputs",
    "evaluate_run",
    "load",
    "load_waivers",
    "parse_controls",
    "parse_waivers",
]
