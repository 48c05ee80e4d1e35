"""The map and the diagrams of the demo corpus: things with their names beside them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image

from .canvas import (
    BLUE,
    GOLD,
    INK,
    MOSS,
    MUTED,
    NAVY,
    PAPER,
    RED,
    SAND,
    SEA,
    STONE,
    WHITE,
    Canvas,
    Colour,
    Painter,
    Point,
    polar,
    smooth,
)

COAST: Sequence[Point] = (
    (170, 395), (215, 330), (290, 335), (350, 262), (440, 225), (500, 175), (575, 205), (660, 190), (735, 232),
    (800, 250), (838, 320), (880, 372), (868, 440), (800, 470), (775, 530), (690, 545), (620, 590), (520, 575),
    (440, 612), (365, 560), (300, 548), (262, 480), (200, 462),
)  # fmt: skip
CALF: Sequence[Point] = ((968, 330), (1005, 318), (1030, 350), (1012, 392), (975, 398), (955, 365))
CONSTELLATIONS: dict[str, tuple[Sequence[Point], Point]] = {
    "The Oar": (((120, 560), (190, 480), (260, 402), (330, 322), (372, 262), (340, 240), (330, 322)), (196, 580)),
    "The Net": (
        ((560, 470), (650, 440), (735, 478), (700, 560), (600, 570), (560, 470), (650, 510), (735, 478)),
        (648, 612),
    ),
    "The Puffin": (((470, 150), (530, 120), (590, 150), (560, 215), (500, 230), (470, 150), (425, 172)), (520, 268)),
    "The Kettle": (((740, 200), (830, 190), (846, 270), (750, 282), (740, 200), (710, 240)), (790, 318)),
}


def island_map() -> Image.Image:
    """The island with its places, a compass and a scale."""
    canvas = Canvas(1100, 760, SEA)
    for reach, colour in ((34, "#c2dce5"), (17, "#b3d3de")):
        for shore in (COAST, CALF):
            for point in smooth(shore, closed=True):
                canvas.circle(point, reach, colour)
    for shore in (COAST, CALF):
        canvas.polygon(smooth(shore, closed=True), "#dfe3b8", "#7c8a5b", 3)
    _hills(canvas)
    canvas.line([(872, 400), (915, 372), (958, 364)], STONE, 7, dash=9)
    canvas.line(smooth([(790, 445), (700, 430), (610, 450), (480, 455), (360, 450), (232, 405)]), "#b08d57", 4, dash=12)
    canvas.line(smooth([(610, 450), (590, 350), (520, 238)]), "#b08d57", 4, dash=12)
    for x, y in ((778, 440), (806, 428), (800, 452), (826, 440), (776, 464)):
        canvas.polygon([(x - 9, y), (x, y - 9), (x + 9, y)], RED)
        canvas.rect((x - 8, y, x + 8, y + 11), WHITE, MUTED, 1)
    canvas.polygon([(205, 412), (210, 368), (222, 368), (227, 412)], WHITE, INK, 2)
    canvas.polygon([(207, 368), (216, 352), (225, 368)], RED)
    canvas.circle((640, 478), 7, BLUE, WHITE, 2)
    canvas.line([(508, 226), (508, 194), (530, 202)], INK, 3)
    canvas.polygon([(438, 646), (484, 662), (470, 678), (440, 668)], NAVY)
    canvas.line([(460, 656), (474, 624)], NAVY, 3)
    places = (
        (120, 300, "Cormorant Head\nand the light"), (500, 142, "Northpoint"),
        (770, 190, "Puffin Shelf"), (884, 486, "Lowhaven"),
        (993, 290, "The Calf"), (915, 336, "The Leck"), (300, 596, "Seal Strand"), (640, 510, "Sweetwell"),
        (455, 380, "Old Mother\n118 m"), (610, 658, "Wreck of the Halcyon"),
        (400, 228, "Slate Cove"), (330, 520, "Old quarry"),
    )  # fmt: skip
    for x, y, name in places:
        canvas.text((x, y), name, 18, INK, "mm", bold=True, halo=(255, 255, 255, 190))
    canvas.polygon([(308, 500), (318, 484), (340, 480), (352, 500)], STONE, INK, 1.5)
    canvas.text((36, 52), "The island of Skarne", 30, NAVY, bold=True)
    _compass(canvas, (1010, 110))
    canvas.line([(740, 690), (1032, 690)], INK, 4)
    for x, words in ((740, "0"), (886, "500"), (1032, "1000 m")):
        canvas.line([(x, 682), (x, 698)], INK, 3)
        canvas.text((x, 716), words, 16, INK, "mm")
    return canvas.finish()


def _hills(canvas: Canvas) -> None:
    for share, colour in ((1.0, "#cfd8a2"), (0.68, "#bdca8d"), (0.36, "#a8b877")):
        ring = [(455 + (x - 455) * share, 378 + (y - 378) * share) for x, y in
                ((340, 390), (370, 320), (450, 285), (540, 318),
                (570, 390), (520, 440), (430, 452), (365, 440))]  # fmt: skip
        canvas.polygon(smooth(ring, closed=True), colour)


def _compass(canvas: Canvas, centre: Point) -> None:
    for bearing in (0, 90, 180, 270):
        tip, left, right = polar(centre, 54, bearing), polar(centre, 12, bearing - 45), polar(centre, 12, bearing + 45)
        canvas.polygon([centre, left, tip], NAVY)
        canvas.polygon([centre, right, tip], WHITE, NAVY, 1.5)
    canvas.text(polar(centre, 70, 0), "N", 22, NAVY, "mm", bold=True)


def tower_section() -> Image.Image:
    """The tower cut open from the lamp to the rock."""
    canvas = Canvas(760, 1000, "#eef4f5")
    canvas.title("Skarne Light, cut open")
    canvas.polygon(
        [*smooth([(0, 905), (120, 880), (260, 890), (520, 888), (650, 900), (760, 890)]), (760, 1000), (0, 1000)], STONE
    )
    canvas.polygon([(205, 888), (240, 300), (400, 300), (435, 888)], WHITE, INK, 4)
    for top, bottom in ((390, 470), (630, 710)):
        left, right = 240 - (top - 300) * 0.0595, 400 + (top - 300) * 0.0595
        low_left, low_right = 240 - (bottom - 300) * 0.0595, 400 + (bottom - 300) * 0.0595
        canvas.polygon([(left, top), (right, top), (low_right, bottom), (low_left, bottom)], RED)
    canvas.polygon([(256, 888), (282, 318), (358, 318), (384, 888)], "#f4ead2", INK, 2)
    for step in range(26):
        y, side = 872 - step * 20.5, -1 if step % 2 else 1
        reach = 50 - step * 0.85
        canvas.line([(320 - side * reach, y), (320 + side * reach, y - 20.5)], "#a98b62", 4)
    canvas.rect((313, 318, 327, 760), "#d7dbe0", INK, 1.5)
    canvas.rect((309, 610, 331, 650), INK)
    canvas.rect((300, 822, 340, 888), "#6f4b2c", INK, 2)
    canvas.rect((214, 286, 426, 304), INK)
    for x in range(218, 430, 26):
        canvas.line([(x, 286), (x, 252)], INK, 2)
    canvas.line([(214, 252), (426, 252)], INK, 3)
    canvas.rect((262, 172, 378, 286), "#fff3c4", INK, 3)
    for x in (291, 320, 349):
        canvas.line([(x, 172), (x, 286)], MUTED, 1.5)
    canvas.ellipse((320, 232), 26, 40, GOLD, INK)
    canvas.polygon(smooth([(252, 172), (280, 130), (320, 112), (360, 130), (388, 172)]), RED, INK, 3)
    canvas.circle((320, 106), 9, RED, INK, 2)
    names = (((352, 145), 140, "Copper dome"), ((346, 232), 212, "Lens and lamp"),
        ((412, 252), 284, "Gallery"), ((331, 400), 380, "Weight tube"),
             ((331, 630), 560, "Driving weight"), ((350, 690), 680, "142 steps"),
             ((340, 855), 820, "Oak door"))  # fmt: skip
    for target, y, name in names:
        canvas.label(target, (510, y), name, 20)
    canvas.label((560, 905), (560, 955), "Bedrock", 20, "mm")
    canvas.line([(120, 112), (120, 888)], NAVY, 2)
    for y in (112, 888):
        canvas.line([(108, y), (132, y)], NAVY, 3)
    canvas.text((104, 500), "31 m", 24, NAVY, "rm", bold=True)
    return canvas.finish()


def lamp_mechanism() -> Image.Image:
    """The lamp, its lens, and what turns it."""
    canvas = Canvas(1000, 780)
    canvas.title("What turns the lens")
    canvas.rect((300, 420, 640, 446), STONE, INK, 2, 4)
    for x in (340, 410, 530, 600):
        canvas.circle((x, 458), 12, PAPER, INK, 3)
    canvas.rect((300, 470, 640, 490), INK, radius=4)
    canvas.rect((440, 490, 500, 640), "#c9c3b2", INK, 2)
    canvas.rect((454, 300, 486, 420), "#c9c3b2", INK, 2)
    canvas.ellipse((470, 265), 28, 44, "#ffe08a", GOLD, width=4)
    for side in (-1, 1):
        for row in range(7):
            y, bulge = 150 + row * 37, 22 - abs(row - 3) * 5
            x = 470 + side * 120
            canvas.polygon(
                smooth([(x, y), (x + side * bulge, y + 17), (x, y + 34), (x - side * 9, y + 17)], closed=True),
                "#bfe0ea",
                BLUE,
                2,
            )
        for bearing in (68, 80, 92, 104):
            canvas.line([(470 + side * 30, 265), polar((470, 265), 250, bearing * side)], (226, 171, 63, 150), 3)
    canvas.line([(350, 140), (590, 140)], INK, 5)
    canvas.circle((690, 455), 52, None, INK, 3)
    _gear(canvas, (690, 455), 48, 16, GOLD)
    canvas.rect((650, 530, 800, 650), "#8a6a46", INK, 3, 8)
    canvas.line([(690, 500), (690, 532)], INK, 6)
    for centre, radius in (((700, 590), 28), ((752, 575), 20), ((758, 620), 16)):
        _gear(canvas, centre, radius, 10, GOLD)
    canvas.line([(800, 590), (850, 590), (850, 630)], INK, 6)
    canvas.rect((842, 626, 858, 664), RED, INK, 2, 4)
    canvas.line([(725, 650), (725, 700)], INK, 3)
    canvas.rect((703, 700, 747, 750), NAVY, INK, 2, 4)
    for target, at, name, anchor in (
        ((444, 265), (200, 200), "Lamp", "rm"), ((338, 330), (200, 300), "Lens panel", "rm"),
        ((340, 433), (200, 415), "Turntable", "rm"), ((410, 458), (200, 500), "Roller", "rm"),
        ((450, 590), (200, 610), "Pillar", "rm"), ((730, 440), (800, 400), "Drive gear", "lm"),
        ((770, 575), (840, 500), "Clockwork", "lm"), ((850, 655), (880, 690), "Crank", "lm"),
        ((703, 725), (600, 735), "Weight", "rm"),
    ):  # fmt: skip
        canvas.label(target, at, name, 21, anchor)
    return canvas.finish()


def _gear(canvas: Canvas, centre: Point, radius: float, teeth: int, colour: Colour) -> None:
    for tooth in range(teeth):
        bearing = tooth * 360 / teeth
        half = 110 / teeth
        foot, tip = radius * 0.8, radius * 1.15
        corners = ((foot, -half), (tip, -half * 0.6), (tip, half * 0.6), (foot, half))
        canvas.polygon([polar(centre, reach, bearing + turn) for reach, turn in corners], INK)
    canvas.circle(centre, radius * 0.94, colour, INK, 2)
    canvas.circle(centre, radius * 0.25, PAPER, INK, 2)


def water_house() -> Image.Image:
    """Rain from the roof to the tap."""
    canvas = Canvas(1000, 640, "#e6f0f3")
    canvas.title("From the roof to the tap")
    canvas.rect((0, 400, 1000, 640), "#cdb893")
    canvas.line([(0, 400), (1000, 400)], MOSS, 8)
    canvas.rect((150, 250, 430, 400), WHITE, INK, 3)
    canvas.polygon([(120, 256), (290, 140), (460, 256)], "#5f6673", INK, 3)
    canvas.rect((200, 300, 250, 350), SEA, INK, 3)
    canvas.rect((320, 300, 375, 400), BLUE, INK, 3)
    drops = random.Random(7)
    for _ in range(110):
        x, y = drops.uniform(110, 470), drops.uniform(100, 235)
        if y < 140 + abs(x - 290) * 0.68 - 12:
            canvas.line([(x, y), (x - 4, y + 13)], BLUE, 2.5)
    canvas.line([(458, 258), (490, 258), (490, 460), (540, 460)], NAVY, 8)
    canvas.rect((540, 430, 640, 500), SAND, INK, 3, 6)
    for y in (448, 464, 480):
        canvas.line([(552, y), (628, y)], "#a98b62", 4, dash=7)
    canvas.line([(640, 465), (690, 465)], NAVY, 8)
    canvas.rect((690, 430, 930, 590), STONE, INK, 4, 8)
    canvas.rect((702, 480, 918, 578), "#6fb0cc", radius=4)
    canvas.line([(760, 560), (760, 330), (800, 330)], NAVY, 8)
    canvas.circle((760, 362), 26, GOLD, INK, 3)
    canvas.line([(800, 330), (800, 350)], NAVY, 8)
    canvas.ellipse((800, 366), 5, 8, BLUE)
    for target, at, name, anchor in (
        ((405, 215), (520, 150), "Slate roof", "lm"), ((490, 320),
        (550, 270), "Downpipe", "lm"), ((575, 500), (500, 560), "Sand filter", "mm"),
        ((870, 520), (870, 615), "Cistern", "mm"), ((740, 352),
        (660, 330), "Hand pump", "rm"), ((806, 330), (850, 300), "Tap", "lm"),
    ):  # fmt: skip
        canvas.label(target, at, name, 21, anchor)
    return canvas.finish()


def night_sky() -> Image.Image:
    """Four star pictures of the island's own, with their names."""
    canvas = Canvas(960, 680, NAVY)
    canvas.gradient(0, 680, ((11, 18, 42), (22, 38, 74), (48, 72, 108)))
    stars = random.Random(1874)
    for _ in range(260):
        centre = stars.uniform(0, 960), stars.uniform(0, 640)
        canvas.circle(centre, stars.uniform(0.6, 1.7), (255, 255, 255, stars.randint(60, 190)))
    for name, (points, at) in CONSTELLATIONS.items():
        canvas.line(points, (214, 226, 240, 130), 2)
        for index, point in enumerate(dict.fromkeys(points)):
            canvas.circle(point, 11, (255, 240, 200, 40))
            canvas.circle(point, 5.5 if index == 0 else 4.2, "#fff4d6")
        canvas.text(at, name, 20, "#f3e6c0", "mm", italic=True)
    canvas.polygon(
        [*smooth([(0, 640), (160, 622), (330, 640), (520, 628), (720, 645), (960, 626)]), (960, 680), (0, 680)],
        "#070b14",
    )
    canvas.text((480, 662), "south", 17, "#a9b8c8", "mm")
    canvas.text((36, 44), "The summer sky at midnight", 24, "#f3e6c0", bold=True)
    return canvas.finish()


PAINTERS: dict[str, Painter] = {
    "lamp-mechanism": lamp_mechanism,
    "map-of-skarne": island_map,
    "night-sky": night_sky,
    "tower-section": tower_section,
    "water-house": water_house,
}
