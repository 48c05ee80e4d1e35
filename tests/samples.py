"""One small valid file of every format, with as many of its elements as matter: what the readers are tried with."""

# ruff: noqa: E501  # markup reads better whole
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, features

from tests.document_files import png
from tests.test_readers_epub import book
from tests.test_readers_odf import _frame, package

TEXT: Final = "Rain fell on the hills. " * 4
MARKDOWN: Final = f"""---
title: Rain
tags: [a, 1, 2024-01-01]
---
# Rain

{TEXT}[more](https://example.org/rain) *much* `code` **b** ![Red bars](x.png){{alt="bars" .wide}}

::: note
> quoted
:::

| a | b |
|---|---|
| 1 | 2 |

1. one
   - two

```python
x = 1
```

<figure><img src="x.png" alt="Red"><figcaption>Figure 1</figcaption></figure>
"""
HTML: Final = f"""<!doctype html><html lang="en"><head><title>Rain</title><meta name="author" content="Ann">
<base href="b/"></head><body><nav>menu</nav><h1>Rain</h1><p>{TEXT}<a href="https://example.org/a">more</a> <b>b</b></p>
<ol start="3"><li>one<ul><li value="2">two</li></ul></li></ol><pre>code</pre>
<table><caption>Rain</caption><tr><th colspan="2">a</th><th rowspan="2">b</th></tr><tr><td>1</td><td>2</td></tr></table>
<picture><source srcset="x.png 2x, y.png 300w"><img src="x.png" alt="Red" title="t"></picture>
<img src="data:image/png;base64,{b64encode(png()).decode()}" alt="data">
<svg><title>d</title><image href="x.png"/></svg><math alttext="x^2"><mi>x</mi></math>
<input type="checkbox" checked> done</body></html>"""
RST: Final = f"""====
Rain
====
:Author: Ann

{TEXT}*rained* a :ref:`long <there>` `more <https://example.org/rain>`_ ``code`` |box| [1]_

.. |box| image:: x.png
.. figure:: x.png
   :alt: Red bars

   Rain by *month*.

.. list-table:: Numbers

   * - Month
     - mm

+---+---+
| a | b |
+---+---+

Section
-------

1. one

   - two

.. raw:: html

   <p>raw</p>

.. versionadded:: 1.2
   New

.. [1] A foot.
"""
ADOC: Final = f"""= Rain
Ann Lee <ann@example.org>
2024-01-01
:imagesdir: .
:name: value

== Section
{TEXT}*bold* _it_ `code` https://example.org/a[more] <<there,here>> {{name}} footnote:[x]

.Red bars
image::x.png[Red, title="t"]

* one
** two
. first
term:: meaning

[cols="2*"]
|===
|a |b
2+|c
|===

----
code
----

====
example
====
include::x.adoc[]
"""
DRAWING: Final = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90" height="60">
<title>Bars</title><defs><linearGradient id="g"><stop offset="1" stop-color="red"/></linearGradient>
<filter id="f"><feGaussianBlur stdDeviation="2"/></filter></defs><rect width="40" height="20" fill="url(#g)"/>
<g transform="rotate(5)" filter="url(#f)"><path d="M1 1 L50 40 C1 2 3 4 5 6 z" stroke="blue"/></g>
<text x="5" y="30">drawn</text><use href="#g"/></svg>"""


def _docx(path: Path) -> None:
    import docx

    document = docx.Document()
    document.core_properties.title = "Rain"
    document.add_heading("Results", 1)
    document.add_paragraph(TEXT)
    document.add_paragraph("one", style="List Number")
    document.add_picture(BytesIO(png()))
    document.add_paragraph("Figure 1: Red", style="Caption")
    table = document.add_table(2, 2)
    table.cell(0, 0).text = "a"
    table.cell(0, 0).merge(table.cell(0, 1))
    document.sections[0].header.paragraphs[0].text = "Head"
    document.save(str(path))


def _pptx(path: Path) -> None:
    import pptx
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Rain"
    slide.shapes.add_picture(BytesIO(png()), Inches(1), Inches(1))
    slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(3), Inches(1)).table.cell(0, 0).text = "a"
    slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = TEXT
    chart = CategoryChartData()
    chart.categories = ["May"]
    chart.add_series("mm", (12,))
    slide.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, 0, 0, Inches(2), Inches(2), chart)
    slide.notes_slide.notes_text_frame.text = "Notes"
    show.save(str(path))


def _xlsx(path: Path) -> None:
    import openpyxl
    from openpyxl.chart import BarChart, Reference
    from openpyxl.comments import Comment
    from openpyxl.drawing.image import Image as Drawn

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Month", "mm", None, "x"], ["May", 12.5, None, "y"], ["June", "=B2*2", None, True]):
        sheet.append(row)
    sheet.merge_cells("A5:B6")
    sheet["A5"] = "merged"
    sheet["A1"].comment = Comment("why", "Ann")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "F1")
    sheet.add_image(Drawn(BytesIO(png())), "F9")
    book.save(path)


def _odt(path: Path) -> None:
    body = f"""<text:h text:outline-level="1">Results</text:h><text:p>{TEXT}<text:s text:c="2"/>
<text:a xlink:href="https://example.org/r">long</text:a><text:note><text:note-body><text:p>foot</text:p></text:note-body>
</text:note></text:p><text:list text:style-name="L"><text:list-item><text:p>one</text:p></text:list-item></text:list>
<text:p>{_frame("a.png", "Red")}</text:p><table:table><table:table-row table:number-rows-repeated="2">
<table:table-cell table:number-columns-spanned="2"><text:p>a</text:p></table:table-cell></table:table-row></table:table>"""
    package(path, "text", body, Pictures__a_png=png())


def _odp(path: Path) -> None:
    page = f"<draw:page><draw:frame><draw:text-box><text:p>Rain</text:p></draw:text-box></draw:frame>{_frame('a.png')}"
    package(path, "presentation", f"{page}</draw:page>", Pictures__a_png=png())


def _pdf(path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pageCompression=0, invariant=1)
    canvas.bookmarkPage("a")
    canvas.addOutlineEntry("Results", "a")
    for line in range(5):
        canvas.drawString(72, 740 - 14 * line, TEXT[:70])
    canvas.drawImage(ImageReader(BytesIO(png())), 72, 500, 120, 90)
    canvas.drawString(72, 485, "Figure 1: Red bars")
    canvas.grid([72, 172, 272], [300, 320, 340])
    canvas.drawString(80, 305, "cell")
    canvas.bezier(300, 300, 350, 400, 400, 200, 450, 300)
    canvas.showPage()
    canvas.drawString(72, 740, "Second")
    canvas.save()


def _eml(path: Path) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "Ann <a@example.org>", "b@example.org, Cé <c@example.org>"
    message["Subject"], message["Date"] = "Über rain", "Mon, 06 May 2024 10:00:00 +0200"
    message.set_content(TEXT)
    message.add_alternative('<p>Rain <img src="cid:a"></p>', subtype="html")
    message.add_attachment(png(), maintype="image", subtype="png", cid="<a>", filename="a.png")
    message.add_attachment("month,mm\nMay,12\n", subtype="csv", filename="table.csv")
    inner = EmailMessage()
    inner["Subject"] = "within"
    inner.set_content("inner")
    message.add_attachment(inner)
    path.write_bytes(bytes(message))


def _ipynb(path: Path) -> None:
    picture = b64encode(png()).decode()
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "\x1b[1mb"]},
        {"output_type": "display_data", "data": {"image/png": picture, "text/plain": ["<Figure>"]}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/html": "<table><tr><td>1</td><td>2</td></tr></table>"}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []},
    ]
    cells = [
        {
            "cell_type": "markdown",
            "source": ["# Rain\n", "![a](attachment:a.png)"],
            "attachments": {"a.png": {"image/png": picture}},
        },
        {"cell_type": "code", "source": "x = 1", "outputs": outputs, "execution_count": 1},
        {"cell_type": "raw", "source": "raw"},
    ]
    about = {"kernelspec": {"language": "python"}, "authors": [{"name": "Ann"}], "title": "Rain"}
    path.write_text(json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1))


def _picture(kind: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        image = Image.radial_gradient("L").resize((40, 30)).convert("RGB")
        more = {"save_all": True, "append_images": [image]} if kind in ("GIF", "TIFF", "WEBP") else {}
        exif = Image.Exif()
        exif[0x010E], exif[0x0112] = "Bars", 6
        if kind in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
            more["exif"] = exif
        image.save(path, kind, **more)

    return make


def _said(text: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return make


MAKERS: Final[dict[str, Callable[[Path], object]]] = {
    "pdf": _pdf,
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "odt": _odt,
    "odp": _odp,
    "epub": book,
    "html": _said(HTML),
    "md": _said(MARKDOWN),
    "rst": _said(RST),
    "adoc": _said(ADOC),
    "eml": _eml,
    "ipynb": _ipynb,
    "csv": _said('month;mm;"a;b"\nMay;12,5;x\nJune;3;"y ""z"""\n'),
    "txt": _said(f"{TEXT}\n\nÜber {TEXT}"),
    "png": _picture("PNG"),
    "jpeg": _picture("JPEG"),
    "gif": _picture("GIF"),
    "webp": _picture("WEBP"),
    "tiff": _picture("TIFF"),
    "bmp": _picture("BMP"),
    "svg": _said(DRAWING),
    **({"avif": _picture("AVIF")} if features.check("avif") else {}),
}
"""Suffix -> what writes a small file of that format to a path."""


def samples(folder: Path) -> dict[str, Path]:
    """One file of every format in `folder`, with the picture that some of them show beside them."""
    made = {}
    for kind, make in MAKERS.items():
        made[kind] = folder / f"sample.{kind}"
        make(made[kind])
    (folder / "x.png").write_bytes(png())
    return made
