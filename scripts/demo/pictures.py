"""All pictures by name, and their bytes: PNG with a palette for charts and diagrams, JPEG for views."""

from __future__ import annotations

import io
from functools import cache
from typing import Final

from PIL import Image

from . import charts, diagrams, flags, scenes
from .canvas import Painter

PAINTERS: Final[dict[str, Painter]] = {**charts.PAINTERS, **diagrams.PAINTERS, **flags.PAINTERS, **scenes.PAINTERS}
VIEWS: Final = frozenset({"evening-light", "ferry-patient-anna", "lowhaven-harbour", "night-sky", "tern"})
IMAGE_DESCRIPTION: Final = 0x010E
"""The EXIF tag for words about a picture."""


def filename(name: str) -> str:
    """The name with the extension of its format."""
    return f"{name}.jpg" if name in VIEWS else f"{name}.png"


@cache
def painted(name: str) -> Image.Image:
    """The picture, RGB; drawn once."""
    return PAINTERS[name]()


def encoded(name: str, description: str = "") -> bytes:
    """The file's bytes; `description` goes into the EXIF data of a JPEG."""
    image, target = painted(name), io.BytesIO()
    if name in VIEWS:
        exif = Image.Exif()
        if description:
            exif[IMAGE_DESCRIPTION] = description
        image.save(target, "JPEG", quality=88, optimize=True, exif=exif)
    else:
        image.quantize(256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(
            target, "PNG", optimize=True
        )
    return target.getvalue()
