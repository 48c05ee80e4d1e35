"""What `triptych` prints where no JSON is asked for: lines for the terminal, and pictures where it can show them."""

from rag.display.hits import hit_lines
from rag.display.lines import answer_lines, caption_lines, encoder_lines, eval_lines, report_lines, status_lines
from rag.display.view import PICTURES, Protocol, View, spoken

__all__ = [
    "PICTURES",
    "Protocol",
    "View",
    "answer_lines",
    "caption_lines",
    "encoder_lines",
    "eval_lines",
    "hit_lines",
    "report_lines",
    "spoken",
    "status_lines",
]
