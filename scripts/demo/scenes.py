"""The birds and views of the demo corpus: pictures that are not read but seen."""

from __future__ import annotations

import random

from PIL import Image

from .canvas import (
    BLUE,
    GOLD,
    INK,
    MOSS,
    NAVY,
    RED,
    SAND,
    STONE,
    WHITE,
    Canvas,
    Painter,
    smooth,
)


def puffin() -> Image.Image:
    """A puffin on a tuft of thrift."""
    canvas = Canvas(700, 820, "#d7e8ee")
    canvas.polygon([*smooth([(0, 700), (170, 672), (350, 682), (540, 666), (700, 690)]), (700, 820), (0, 820)], MOSS)
    flowers = random.Random(21)
    for _ in range(30):
        x, y = flowers.uniform(10, 690), flowers.uniform(704, 800)
        canvas.line([(x, y), (x, y + 16)], "#38592f", 2)
        canvas.circle((x, y), 7, "#e59ab8")
    for x in (318, 392):
        canvas.line([(x, 620), (x, 690)], "#e8742c", 12)
        canvas.polygon(
            [(x - 8, 680), (x - 34, 706), (x - 8, 700), (x + 2, 712), (x + 12, 700), (x + 30, 704), (x + 8, 680)],
            "#e8742c",
        )
    canvas.polygon(
        smooth(
            [
                (350, 190),
                (440, 260),
                (478, 400),
                (462, 540),
                (400, 640),
                (320, 640),
                (262, 545),
                (250, 400),
                (272, 270),
            ],
            closed=True,
        ),
        WHITE,
    )
    canvas.polygon(
        smooth(
            [
                (398, 210),
                (478, 290),
                (520, 430),
                (520, 560),
                (560, 668),
                (470, 628),
                (420, 540),
                (412, 420),
                (430, 330),
                (340, 300),
                (280, 300),
                (300, 230),
            ],
            closed=True,
        ),
        "#20242a",
    )
    canvas.ellipse((338, 178), 112, 100, "#20242a")
    canvas.polygon(
        smooth([(262, 160), (310, 112), (378, 122), (404, 178), (370, 238), (306, 246), (262, 214)], closed=True),
        "#f3f1ea",
    )
    canvas.polygon(smooth([(268, 134), (220, 146), (172, 190), (158, 232), (206, 240), (262, 232)]), "#e8742c", INK, 2)
    canvas.polygon(smooth([(268, 134), (236, 142), (226, 186), (236, 234), (264, 234)]), "#4b6b86")
    canvas.line(smooth([(234, 142), (222, 186), (232, 236)]), "#f2c230", 7)
    canvas.line(smooth([(204, 158), (194, 194), (200, 240)]), "#b8431f", 5)
    canvas.line([(160, 230), (262, 196)], "#8d3517", 3)
    canvas.polygon([(306, 178), (326, 150), (346, 178), (326, 192)], "#5d6670")
    canvas.circle((326, 172), 14, RED)
    canvas.circle((326, 172), 9, "#16181c")
    canvas.circle((323, 168), 3, WHITE)
    return canvas.finish()


def _ripple(canvas: Canvas, x: float, y: float, alpha: int) -> None:
    canvas.line(smooth([(x, y), (x + 13, y - 4), (x + 26, y), (x + 39, y - 4)]), (255, 255, 255, alpha), 2)


def tern() -> Image.Image:
    """A tern over the water with a fish in its bill."""
    canvas = Canvas(900, 600, "#bfdcea")
    canvas.gradient(0, 470, ((150, 196, 222), (226, 238, 240)))
    canvas.gradient(470, 600, ((82, 140, 168), (40, 92, 122)))
    waves = random.Random(5)
    for _ in range(26):
        _ripple(canvas, waves.uniform(0, 860), waves.uniform(484, 592), 110)
    canvas.polygon([(600, 318), (800, 330), (690, 344), (792, 392), (590, 352)], "#f4f6f7", "#93a1ad", 2)
    canvas.polygon(
        smooth([(455, 290), (500, 180), (590, 96), (730, 46)])
        + smooth([(730, 46), (640, 150), (585, 230), (560, 310)]),
        "#c9d3da",
        "#93a1ad",
        2,
    )
    canvas.polygon(
        smooth(
            [(290, 300), (340, 262), (440, 262), (560, 296), (640, 336), (540, 362), (420, 362), (330, 342)],
            closed=True,
        ),
        WHITE,
        "#93a1ad",
        2,
    )
    canvas.polygon(
        smooth([(480, 322), (405, 262), (330, 180), (230, 96), (90, 62)])
        + smooth([(90, 62), (220, 160), (310, 250), (390, 310), (480, 322)]),
        "#dbe3e8",
        "#93a1ad",
        2,
    )
    canvas.polygon(
        smooth([(262, 302), (284, 268), (330, 254), (384, 266), (340, 288), (290, 306)], closed=True), "#1b1f25"
    )
    canvas.polygon([(270, 296), (196, 330), (276, 316)], "#cf2f2a")
    canvas.circle((302, 290), 5, WHITE)
    canvas.circle((302, 290), 3.4, "#1b1f25")
    canvas.polygon(
        smooth([(176, 306), (198, 318), (212, 342), (204, 366), (186, 350), (176, 328)], closed=True),
        "#9fb4bf",
        "#5d7480",
        2,
    )
    canvas.polygon([(198, 360), (188, 384), (216, 380)], "#9fb4bf", "#5d7480", 2)
    return canvas.finish()


def evening() -> Image.Image:
    """The light at dusk."""
    canvas = Canvas(1100, 720, NAVY)
    canvas.gradient(0, 470, ((18, 26, 58), (58, 62, 112), (168, 98, 120), (240, 160, 104), (250, 206, 140)))
    specks = random.Random(1903)
    for _ in range(120):
        at = specks.uniform(0, 1100), specks.uniform(0, 210)
        canvas.circle(at, specks.uniform(0.7, 1.7), (255, 255, 255, specks.randint(60, 200)))
    canvas.circle((840, 452), 46, (255, 236, 180, 255))
    canvas.gradient(470, 720, ((188, 128, 116), (74, 76, 112), (24, 36, 66)))
    for _ in range(150):
        y = specks.uniform(474, 716)
        x, reach = specks.gauss(840, 30 + (y - 470) * 0.35), specks.uniform(10, 42)
        canvas.line([(x - reach, y), (x + reach, y)], (255, 226, 170, specks.randint(30, 110)), 2.5)
    for spread, alpha in ((46, 26), (30, 40), (15, 60)):
        canvas.polygon([(322, 196), (1100, 96 - spread * 2), (1100, 96 + spread * 2)], (255, 240, 180, alpha))
        canvas.polygon([(298, 196), (0, 226 - spread), (0, 226 + spread)], (255, 240, 180, alpha))
    shore = smooth(
        [
            (0, 430),
            (80, 418),
            (170, 400),
            (250, 384),
            (350, 384),
            (420, 404),
            (470, 452),
            (530, 486),
            (590, 506),
            (640, 540),
            (560, 566),
            (380, 590),
            (180, 600),
            (0, 640),
        ]
    )
    canvas.polygon([*shore], "#171c33")
    canvas.polygon([(282, 388), (292, 224), (328, 224), (338, 388)], "#efe6e0")
    for top, bottom in ((262, 296), (332, 362)):
        canvas.polygon(
            [
                (292 - (top - 224) * 0.061, top),
                (328 + (top - 224) * 0.061, top),
                (328 + (bottom - 224) * 0.061, bottom),
                (292 - (bottom - 224) * 0.061, bottom),
            ],
            "#a8453c",
        )
    canvas.rect((284, 216, 336, 225), "#171c33")
    canvas.rect((296, 176, 324, 216), "#ffe9a3")
    canvas.polygon([(290, 177), (310, 154), (330, 177)], "#8e3a34")
    for reach in range(36, 12, -3):
        canvas.circle((310, 197), reach, (255, 244, 190, 26))
    canvas.circle((310, 197), 12, "#fffbe6")
    canvas.rect((196, 362, 262, 402), "#d9cfcd")
    canvas.polygon([(186, 364), (229, 334), (272, 364)], "#4a3542")
    canvas.rect((218, 374, 234, 390), "#ffd36e")
    return canvas.finish()


def ferry() -> Image.Image:
    """The ferry on her way in."""
    canvas = Canvas(1000, 660, "#cfe4ea")
    canvas.gradient(0, 430, ((124, 178, 210), (206, 228, 234), (240, 240, 226)))
    canvas.gradient(430, 660, ((70, 132, 160), (30, 78, 108)))
    ripples = random.Random(51)
    for _ in range(46):
        _ripple(canvas, ripples.uniform(0, 960), ripples.uniform(446, 650), 60)
    canvas.polygon(
        [*smooth([(560, 432), (660, 372), (760, 340), (850, 352), (930, 392), (1000, 410)]), (1000, 432)], "#8aa39a"
    )
    for x, y, reach in ((180, 110, 60), (250, 96, 76), (330, 118, 56), (720, 160, 50), (790, 150, 70)):
        canvas.ellipse((x, y), reach, reach * 0.36, (255, 255, 255, 200))
    canvas.polygon(
        [
            *smooth([(210, 470), (330, 486), (560, 488), (720, 470), (800, 430)]),
            (760, 530),
            (700, 560),
            (280, 560),
            (232, 530),
        ],
        NAVY,
        INK,
        3,
    )
    canvas.polygon([(228, 522), (766, 522), (756, 536), (236, 536)], RED)
    canvas.rect((300, 400, 610, 486), WHITE, INK, 3, 6)
    canvas.rect((420, 330, 570, 402), WHITE, INK, 3, 6)
    for porthole in range(322, 590, 54):
        canvas.circle((porthole + 10, 442), 15, "#9cc6da", INK, 3)
    for pane in (434, 482, 530):
        canvas.rect((pane, 346, pane + 34, 378), "#9cc6da", INK, 2, 3)
    canvas.polygon([(330, 400), (336, 318), (386, 318), (392, 400)], GOLD, INK, 3)
    canvas.polygon([(333, 352), (389, 352), (390, 372), (332, 372)], NAVY)
    canvas.line([(600, 400), (600, 250)], "#7a5636", 7)
    canvas.polygon([(604, 254), (672, 268), (604, 290)], "#6b4a2f", INK, 2)
    for x, y, reach in ((356, 286, 18), (330, 262, 24), (292, 240, 30)):
        canvas.circle((x, y), reach, (120, 126, 132, 90))
    foam = random.Random(50)
    for _ in range(90):
        at = foam.uniform(120, 860), foam.gauss(566, 9)
        canvas.ellipse(at, foam.uniform(8, 24), 5, (255, 255, 255, 140))
    canvas.text((650, 504), "PATIENT ANNA", 18, WHITE, "mm", bold=True)
    return canvas.finish()


def lowhaven() -> Image.Image:
    """The row of houses at the harbour."""
    canvas = Canvas(1100, 620, "#d6e8ef")
    canvas.gradient(0, 420, ((164, 206, 226), (234, 240, 232)))
    canvas.polygon(
        [*smooth([(0, 300), (180, 220), (420, 170), (640, 200), (860, 250), (1100, 290)]), (1100, 430), (0, 430)],
        "#a9bf8c",
    )
    walls = ("#d9694f", "#f1e3c2", "#5f93ad", "#e2ab3f", "#f7f3ea", "#7ba668", "#c98aa0")
    for index, wall in enumerate(walls):
        x, height = 60 + index * 142, 110 + index % 3 * 22
        top = 410 - height
        canvas.rect((x, top, x + 126, 412), wall, INK, 2)
        canvas.polygon([(x - 8, top + 2), (x + 63, top - 58), (x + 134, top + 2)], "#5b5f6b", INK, 2)
        canvas.rect((x + 88, top - 58, x + 104, top - 16), "#8a5a44", INK, 2)
        canvas.rect((x + 48, 356, x + 80, 412), walls[(index + 2) % 7], INK, 2)
        for left in (16, 84):
            canvas.rect((x + left, top + 24, x + left + 28, top + 56), "#e9f3f6", INK, 2)
            canvas.line([(x + left + 14, top + 24), (x + left + 14, top + 56)], INK, 1.5)
    canvas.rect((0, 412, 1100, 462), STONE)
    for x in range(0, 1100, 44):
        canvas.line([(x, 412), (x, 462)], "#918f85", 2)
    canvas.line([(0, 436), (1100, 436)], "#918f85", 2)
    canvas.gradient(462, 620, ((96, 152, 176), (44, 98, 128)))
    ripples = random.Random(41)
    for _ in range(60):
        _ripple(canvas, ripples.uniform(0, 1060), ripples.uniform(474, 612), 80)
    for x, colour in ((180, RED), (520, SAND), (850, BLUE)):
        canvas.polygon([(x - 82, 516), (x + 86, 516), (x + 58, 556), (x - 56, 556)], colour, INK, 3)
        canvas.line([(x, 516), (x, 424)], "#6f4b2c", 6)
        canvas.rect((x + 18, 492, x + 56, 516), WHITE, INK, 2)
    return canvas.finish()


PAINTERS: dict[str, Painter] = {
    "evening-light": evening,
    "ferry-patient-anna": ferry,
    "lowhaven-harbour": lowhaven,
    "puffin": puffin,
    "tern": tern,
}
