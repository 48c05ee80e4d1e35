"""What is printed can be read, adds up, and does nothing to the terminal but show words and pictures."""

import base64
import os
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rag.cli import cli
from rag.display import PICTURES, View, answer_lines, hit_lines, spoken
from rag.display.inline import ROWS, blocks, fitted, inline, iterm, kitty, sixel
from rag.display.plain import columns, plain, wrapped
from rag.schema import Answer, Citation, Hit, LegScore

ROOT = Path(__file__).resolve().parents[1]
LEGS = {"text": LegScore(0.3, 1.5, 1.0, 2), "lexical": LegScore(8.5, 2.0, 0.5, None)}


def hit(**changed):
    known = {
        "rank": 1,
        "id": "1",
        "score": 2.6,
        "modality": "text",
        "text": "It rained.",
        "caption": "",
        "image": "",
        "source": "year.pdf",
        "page": 3,
        "section": "Weather › Rain",
        "legs": LEGS,
        "adjustments": {"recency": 0.1},
    }
    return Hit(**{**known, **changed})


def picture(width=300, height=200):
    """A picture whose every pixel tells its place."""
    x, y = np.meshgrid(np.arange(width) % 256, np.arange(height) % 256)
    return Image.fromarray(np.stack([x, y, (x * 7 + y * 3) % 256], axis=2).astype(np.uint8))


def same(left, right):
    return left.size == right.size and left.convert("RGB").tobytes() == right.convert("RGB").tobytes()


def test_a_hit_tells_its_rank_score_kind_place_section_and_words():
    assert hit_lines(hit()) == [
        "  1  +2.6000  text   year.pdf, page 3",
        "     Weather › Rain",
        "     It rained.",
    ]


def test_the_last_column_of_the_table_adds_up_to_the_score():
    table = hit_lines(hit(), explain=True)[3:]
    assert len({len(line) for line in table}) == 1, "aligned"
    names = [line.split()[0] for line in table]
    assert names == ["leg", "text", "lexical", "recency", "="]
    last = [float(line.split()[-1]) for line in table[1:]]
    assert sum(last[:-1]) == pytest.approx(last[-1]) == 2.6


def test_a_heading_is_not_said_twice():
    assert hit_lines(hit(text="Rain\n\nIt rained."))[1:] == ["     Weather › Rain", "     It rained."]
    assert hit_lines(hit(text="Rain"))[1:] == ["     Weather › Rain", "     Rain"]


def test_a_long_passage_is_shortened_to_three_lines():
    lines = hit_lines(hit(text="word " * 500), view=View(width=60))
    assert len(lines) == 5
    assert lines[-1].endswith(" …")
    assert all(columns(line) <= 60 for line in lines)


def test_a_picture_is_told_by_its_path_in_full_relative_where_it_lies_below_here(tmp_path):
    inside, outside = str(tmp_path / "pictures" / ("a" * 120 + ".png")), "/elsewhere/b.png"
    shown = hit(modality="image", image=inside, caption="Rain")
    assert f"     pictures/{'a' * 120}.png" in hit_lines(shown, view=View(here=tmp_path))
    assert f"     {outside}" in hit_lines(hit(modality="image", image=outside), view=View(here=tmp_path))


def test_a_path_can_be_copied_as_it_is_but_for_what_acts_on_the_terminal():
    lines = hit_lines(hit(modality="image", source="two  spaces.pdf", image="/a/two  spaces\x1b.png", caption="Rain"))
    assert lines[0].endswith("two  spaces.pdf, page 3")
    assert lines[-1] == "     /a/two  spaces\ufffd.png"


def test_words_are_not_cut_in_the_middle():
    assert wrapped("one two three four", 9, 1) == ["one two …"]
    assert wrapped("one two, three four", 10, 1) == ["one two …"]
    assert wrapped("abcdefghijkl", 6, 1) == ["abcd …"]


HOSTILE = "a\x1b]52;c;c2VjcmV0\x07b\x9b31mc\u202edcba\x00 \r\n\tend"


def test_nothing_of_a_document_acts_on_the_terminal():
    told = hit(text=HOSTILE, section=HOSTILE, source=HOSTILE, adjustments={HOSTILE: 1.0})
    drawn = hit(modality="image", image=HOSTILE, caption=HOSTILE)
    answer = Answer("?", HOSTILE, False, (Citation("[1]", told),), (HOSTILE + "x",), "m")
    for line in [*hit_lines(told, explain=True), *hit_lines(drawn), *answer_lines(answer)]:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)


@given(st.text(), st.integers(4, 80), st.integers(1, 5))
def test_lines_keep_the_width_and_the_words(words, width, most):
    one_line = plain(words)
    lines = wrapped(one_line, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == one_line.replace(" ", "")
    assert len(wrapped(one_line, width, most)) == min(most, len(lines))
    assert all(columns(line) <= width for line in wrapped(one_line, width, most))


def test_wide_letters_take_two_columns():
    assert columns("燈塔 e\u0301") == 6
    assert wrapped("燈塔燈塔燈塔", 8) == ["燈塔燈塔", "燈塔"]


class Stream:
    """Something to print to that is a terminal, or is none."""

    def __init__(self, terminal):
        self.isatty = lambda: terminal


KITTY = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}


def test_only_a_terminal_is_given_colours_and_pictures():
    for asked in PICTURES:
        view = View.of(Stream(False), KITTY, asked)
        assert (view.colour, view.pictures) == (False, None)
    assert View.of(Stream(True), KITTY) == View.of(Stream(True), KITTY, "kitty")
    assert View.of(Stream(True), KITTY, "never").pictures is None
    assert "\x1b[" in hit_lines(hit(), view=View.of(Stream(True), KITTY))[0]
    for quiet in ({**KITTY, "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in "".join(hit_lines(hit(), True, View.of(Stream(True), quiet)))


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        (KITTY, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({**KITTY, "TMUX": "socket,1,0"}, None),
        ({**KITTY, "TERM": "screen-256color"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, None),
        ({}, None),
    ],
)
def test_a_protocol_is_spoken_only_where_the_terminal_is_known_to(environ, protocol):
    assert spoken(environ) == protocol


def kitty_picture(printed):
    """Decode as the terminal does: keys of the first chunk, payloads joined until m=0."""
    parts = re.findall(r"\x1b_G([^;\x1b]*);([A-Za-z0-9+/=]*)\x1b\\", printed)
    keys = [dict(pair.split("=") for pair in head.split(",")) for head, _ in parts]
    assert [key["m"] for key in keys] == ["1"] * (len(parts) - 1) + ["0"]
    assert all(len(payload) <= 4096 and (len(payload) % 4 == 0) for _, payload in parts)
    assert {"a": "T", "f": "100", "q": "2"}.items() <= keys[0].items()
    assert all(set(key) <= {"m", "q"} for key in keys[1:])
    return Image.open(BytesIO(base64.b64decode("".join(payload for _, payload in parts), validate=True))), keys[0]


def iterm_picture(printed):
    arguments, payload = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07", printed).groups()
    keys = dict(pair.split("=") for pair in arguments.split(";"))
    data = base64.b64decode(payload, validate=True)
    assert keys["inline"] == "1"
    assert int(keys["size"]) == len(data)
    return Image.open(BytesIO(data)), keys


def sixel_picture(printed):
    """A terminal's side of the sixel protocol: registers in percent, bands of six, repeats, `$` and `-`."""
    width, height, body = re.fullmatch(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*)\x1b\\', printed, re.S).groups()
    shown = np.full((-(-int(height) // 6) * 6, int(width), 3), -1.0)
    registers, colour, x, top = {}, None, 0, 0
    for token in re.findall(r"#\d+;2;\d+;\d+;\d+|#\d+|!\d+[?-~]|[?-~$-]", body):
        if ";" in token:
            index, _, *percent = map(int, token[1:].split(";"))
            registers[index] = np.array(percent) * 255 / 100
        elif token[0] == "#":
            colour = registers[int(token[1:])]
        elif token == "$":
            x = 0
        elif token == "-":
            x, top = 0, top + 6
        else:
            count, bits = int(token[1:-1] or 1) if token[0] == "!" else 1, ord(token[-1]) - 63
            for row in range(6):
                if bits >> row & 1:
                    shown[top + row, x : x + count] = colour
            x += count
    return shown[: int(height)]


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (7, 13)])
def test_kitty_is_sent_the_picture_in_chunks(size):
    sent = picture(*size)
    shown, keys = kitty_picture(kitty(sent, 5))
    assert same(shown, sent)
    assert keys["r"] == "5"


def test_iterm_is_sent_the_picture():
    shown, keys = iterm_picture(iterm(picture(), 5))
    assert same(shown, picture())
    assert keys["height"] == "5"


@pytest.mark.parametrize("size", [(1, 1), (40, 25), (7, 12)])
def test_sixels_show_every_pixel_in_its_palette_colour(size):
    sent = picture(*size)
    shown = sixel_picture(sixel(sent))
    assert (shown >= 0).all(), "no pixel is left out"
    reduced = np.asarray(sent.quantize(256).convert("RGB"), dtype=int)
    assert np.abs(shown - reduced).max() <= 1.3, "a hundredth of 255, rounded to the nearest"


def test_half_blocks_show_two_pixels_a_character():
    sent = picture(5, 3)
    lines = blocks(sent)
    shown = [[tuple(map(int, c)) for c in re.findall(r"38;2;(\d+);(\d+);(\d+)", line)] for line in lines]
    below = [[tuple(map(int, c)) for c in re.findall(r"48;2;(\d+);(\d+);(\d+)", line)] for line in lines]
    pixels = [[sent.getpixel((x, y)) for x in range(5)] for y in range(3)]
    assert [shown[0], below[0], shown[1], below[1]] == [*pixels, pixels[2]]
    assert all(line.endswith("\x1b[0m") and line.count("▀") == 5 for line in lines)


@pytest.mark.parametrize("size", [(4000, 10), (10, 4000), (1600, 1200), (16, 16)])
def test_a_thumbnail_keeps_proportions_and_bounds_and_is_never_enlarged(size):
    small = fitted(picture(*size), (400, 240))
    assert small.width <= min(400, size[0])
    assert small.height <= min(240, size[1])
    shown, keys = kitty_picture(inline(picture(*size), "kitty", 40)[0])
    assert same(shown, small)
    assert 1 <= int(keys["r"]) <= ROWS


def test_a_picture_that_cannot_be_shown_is_said_to_be_and_no_url_is_fetched(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing of use")
    view = View(pictures="kitty")
    lines = hit_lines(hit(modality="image", image=str(tmp_path / "broken.png")), view=view)
    assert "cannot be opened" in lines[-1]
    remote = hit_lines(hit(modality="image", image="https://example.org/x.png"), view=view)
    assert remote[-1] == "     https://example.org/x.png"


def test_search_shows_pictures_on_a_terminal(demo_corpus):
    shown = on_a_terminal("search", "a chart of rainfall", "-k", "1", "--modality", "image", "--corpus", demo_corpus)
    drawn, _ = kitty_picture(shown)
    path = re.search(r"(\S+/pictures/\S+\.png)", re.sub(r"\x1b\[[\d;]*m", "", shown)).group(1)
    with Image.open(path) as original:
        assert same(drawn, fitted(original.convert("RGB"), (400, 240)))


def on_a_terminal(*arguments):
    """What a command prints on a pseudo-terminal that calls itself kitty."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    leader, follower = pty.openpty()
    environment = {**os.environ, **KITTY, "PYTHONPATH": str(ROOT)}
    for name in ("TMUX", "STY", "NO_COLOR", "COLUMNS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "rag.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=follower, env=environment) as process:
        os.close(follower)
        printed = bytearray()
        while chunk := read(leader):
            printed += chunk
    os.close(leader)
    assert process.returncode == 0
    return printed.decode().replace("\r\n", "\n")


def read(leader):
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux: how a pseudo-terminal ends
        return b""


def test_the_name_of_a_file_does_not_act_on_the_terminal(tmp_path):
    try:
        (tmp_path / "red\x1b[31m.pdf").write_bytes(b"no PDF")
    except OSError:
        pytest.skip("this file system has no such names")
    done = CliRunner().invoke(cli, ["ingest", str(tmp_path), "--corpus", str(tmp_path / "c")])
    assert "red\ufffd[31m.pdf" in done.stderr
    missing = CliRunner().invoke(cli, ["ingest", "\x1b[31m", "--corpus", str(tmp_path / "c")])
    assert "\x1b" not in done.stderr + missing.stderr
