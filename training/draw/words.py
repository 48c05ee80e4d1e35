"""Words large enough to be read, signs, and pages of text that are only grey lines."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from training.draw.emoji import all_emoji
from training.draw.ink import Colour, article, colour, colours, font, font_files

_EVERYDAY = """stop open closed exit sale welcome danger caution hello thanks yes no love home music coffee school hotel
warning free new hot cold push pull enter help hope peace time world water fire earth air summer winter spring autumn
north south east west north-east start finish win lose up down left right red blue green black white one two three four
five six seven eight nine ten january march april june july october monday friday sunday today tomorrow the and of you
are here data model result figure table chapter introduction summary references total average rate cost price profit
energy force mass light sound heat speed motion gravity star planet moon sun galaxy orbit cell heart brain bone blood
muscle nerve report invoice receipt letter notice agenda minutes contract thank you good morning happy birthday
do not enter no parking for sale please wait keep out under construction out of order"""
_COMMON = _EVERYDAY.split()


def vocabulary() -> tuple[str, ...]:
    """Words to render: everyday ones and the keywords of emoji."""
    keywords = {word for emoji in all_emoji() for word in emoji.keywords if word.isascii() and 2 < len(word) < 12}
    return tuple(sorted({*_COMMON, *keywords}))


_VOCABULARY: list[str] = []


def _word(rng: Random) -> str:
    if not _VOCABULARY:
        _VOCABULARY.extend(vocabulary())
    return rng.choice(_COMMON) if rng.random() < 0.3 else rng.choice(_VOCABULARY)


def _inks(rng: Random) -> tuple[Colour, Colour]:
    if rng.random() < 0.5:
        return colour(rng, "white"), colour(rng, "black")
    ground, ink = colours(rng, 2)
    far = sum(abs(a - b) for a, b in zip(ground.rgb, ink.rgb, strict=True)) > 200
    return (ground, ink) if far else (ground, colour(rng, "white" if sum(ground.rgb) < 380 else "black"))


def _sized(rng: Random, words: str, width: int, most: int) -> tuple[str, int]:
    """A font and the size with which the longest line of `words` fills `width`."""
    file = rng.choice(font_files())
    longest = max(words.split("\n"), key=len)
    return file, max(8, min(most, int(20 * width / max(1.0, font(file, 20).getlength(longest)))))


def _written(rng: Random) -> tuple[Image.Image, str]:
    count = rng.choice((1, 1, 1, 2, 3))
    chosen = [_word(rng) for _ in range(count)]
    shown = ("\n" if rng.random() < 0.6 else " ").join(chosen)
    shown = rng.choice((shown, shown.upper(), shown.title()))
    ground, ink = _inks(rng)
    picture = Image.new("RGB", (220, rng.choice((110, 160, 220))), ground.rgb)
    file, size = _sized(rng, shown, 190, picture.height // (2 * shown.count("\n") + 2))
    ImageDraw.Draw(picture).multiline_text((110, picture.height / 2), shown, fill=ink.rgb, font=font(file, size),
                                           anchor="mm", align="center")  # fmt: skip
    told, plural = " ".join(chosen), "word" if count == 1 else "words"
    return picture, rng.choice((
        told, f'the {plural} "{told}"', f'text that says "{told}"', f"the {plural} {told} written in {ink.word}",
        f"{ink.word} letters on {ground.word}: {told}", f"a picture of the {plural} {told}",
    ))  # fmt: skip


def _sign(rng: Random) -> tuple[Image.Image, str]:
    word = _word(rng)
    plate, ink = _inks(rng)
    picture = Image.new("RGB", (200, 200), rng.choice(((200, 225, 245), (255, 255, 255), (225, 225, 220))))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((95, 110, 105, 200), fill=(110, 110, 110))
    shape = rng.choice(("round", "rectangular"))
    box = (15, 25, 185, 125)
    if shape == "round":
        pen.ellipse(box, fill=plate.rgb, outline=ink.rgb, width=4)
    else:
        pen.rounded_rectangle(box, 10, fill=plate.rgb, outline=ink.rgb, width=4)
    file, size = _sized(rng, word, 130, 44)
    pen.text((100, 75), word.upper(), fill=ink.rgb, font=font(file, size), anchor="mm")
    return picture, rng.choice(
        (
            f'a sign that says "{word}"',
            f"{article(plate.word)} sign with the word {word}",
            f"a {shape} sign: {word}",
            f"a road sign saying {word}",
        )
    )


def _page(rng: Random) -> tuple[Image.Image, str]:
    width, height = rng.choice(((170, 220), (170, 220), (220, 170)))
    picture = Image.new("RGB", (width * 2, height * 2), (252, 252, 250))
    pen, columns = ImageDraw.Draw(picture), rng.choice((1, 1, 2))
    file, titled, size = rng.choice(font_files()), rng.random() < 0.6, rng.choice((12, 14, 18))
    top = 70 if titled else 30
    if titled:
        pen.text(
            (width, 36),
            " ".join(_word(rng) for _ in range(3)).title(),
            fill=(0, 0, 0),
            font=font(file, 26),
            anchor="mm",
        )
    gap, left = (2 * width - 60 - 20 * (columns - 1)) / columns, 30.0
    for _ in range(columns):
        line_top = top
        while line_top < 2 * height - 40:
            line = ""
            while len(line) * size * 0.52 < gap - 40:
                line += f"{_word(rng)} "
            pen.text((left, line_top), line, fill=(30, 30, 30), font=font(file, size))
            line_top += int(size * (1.5 if rng.random() < 0.85 else 2.6))
        left += gap + 20
    told = rng.choice(
        (
            "a page of text",
            "a printed page",
            "a document page",
            "a page from a book",
            "a scanned document",
            "paragraphs of text",
            "a page of an article",
        )
    )
    if columns == 2 and rng.random() < 0.7:
        told += rng.choice((" in two columns", " set in two columns"))
    return picture, told + (rng.choice((" with a title", " with a heading")) if titled and rng.random() < 0.6 else "")


def draw(rng: Random) -> tuple[Image.Image, str]:
    """Rendered words and their caption."""
    return rng.choices((_written, _sign, _page), weights=(6, 2, 2))[0](rng)
