"""What the place that is printed to can show.

Nothing asks the terminal what it can do: its answer would arrive on stdin, where the shell or a pipe may read it. What
is known is told by the environment.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO, TypeAlias, get_args

__all__ = ["PICTURES", "PROTOCOLS", "Protocol", "View", "spoken"]

Protocol: TypeAlias = Literal["kitty", "iterm", "sixel", "blocks"]
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

PICTURES: Final = ("auto", *PROTOCOLS, "never")
"""How pictures may be asked for: as the terminal is known to show them, by a protocol, or not at all."""

_WIDEST: Final = 100
_NARROWEST: Final = 40
_SGR: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "magenta": "35", "cyan": "36"}


def spoken(environ: Mapping[str, str]) -> Protocol | None:
    """The protocol of a terminal that is known by its environment variables; None where it is not known.

    Multiplexers keep the variables of the terminal around them but pass pictures on only if told to, so inside one
    nothing is shown. WezTerm understands kitty's protocol only where its configuration says so, iTerm2's always
    (wezterm.org/imgcat.html).
    """
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if environ.get("TMUX") or environ.get("STY") or term.startswith(("screen", "tmux")):
        return None
    if environ.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "sixel" if term.startswith(("foot", "mlterm")) or term.endswith("-sixel") else None


@dataclass(frozen=True)
class View:
    """How wide lines are, whether they are coloured, and by which protocol pictures are shown."""

    width: int = _WIDEST
    """Columns."""
    colour: bool = False
    pictures: Protocol | None = None
    here: Path | None = None
    """Paths below this folder are shown relative to it."""

    @classmethod
    def of(cls, stream: TextIO | Any, environ: Mapping[str, str], pictures: str = "auto") -> View:
        """The view of a stream. What is no terminal gets neither colours nor pictures, nor does a dumb one colours.

        `NO_COLOR` is honoured (no-color.org); `pictures` is one of `PICTURES`.
        """
        here = Path.cwd()
        if not stream.isatty():
            return cls(here=here)
        width = min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size().columns))
        colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        asked = next((protocol for protocol in PROTOCOLS if protocol == pictures), None)
        return cls(width, colour, spoken(environ) if pictures == "auto" else asked, here)

    def styled(self, words: str, *styles: str) -> str:
        """The words in the named styles, where colours are shown."""
        if not self.colour or not words:
            return words
        return f"\x1b[{';'.join(_SGR[style] for style in styles)}m{words}\x1b[0m"

    def path(self, name: str) -> str:
        """A path as it is best read and copied: relative where it lies below here."""
        path = Path(name)
        return str(path.relative_to(self.here)) if self.here and path.is_relative_to(self.here) else name
