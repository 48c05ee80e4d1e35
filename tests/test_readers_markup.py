"""reStructuredText and AsciiDoc: structure, pictures with their words, tables; nothing is included, nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.readers import linked_files, read
from tests.document_files import png, shown, told, write

RST = """
====
Rain
====
:Author: Ann
:Date: 2024-05-01

It *rained* a :ref:`long time <there>` and `more <https://example.org/rain>`_.

Results
=======

.. toctree::

   other

.. figure:: x.png
   :alt: Red bars

   Rain by *month*.

   The legend.

.. list-table:: Numbers
   :header-rows: 1

   * - Month
     - mm
   * - May
     - 12

.. versionadded:: 1.2
   New in :class:`Cloud`.

   - nested

1. one
2. two

.. code-block:: python

   x = 1

Detail
------

Text [1]_ with |box|.

.. [1] A foot.
.. |box| image:: x.png
   :alt: Blue box
"""

ADOC = """= Rain
Ann Arbor <ann@example.org>
:imagesdir: fig

It *rained* a <<there,long time>> and https://example.org/rain[more].

[[there]]
== Results

.Rain by _month_
image::x.png[Red bars,width=200]

.Numbers
[cols="1,1"]
|===
|Month |mm

|May
2+|12
|===

* one
** in
. first
. second

NOTE: Take {care}.

[source,python]
----
x = 1
  == not a heading
----

////
a comment
////

=== Detail

Text image:x.png[Blue box] here.
"""


def test_restructuredtext_keeps_its_structure(tmp_path: Path):
    write(tmp_path / "x.png", png())
    document = read(write(tmp_path / "a.rst", RST))
    assert (document.title, document.metadata) == ("Rain", {"author": "Ann", "date": "2024-05-01"})
    assert [(text, item.section[1:]) for (_, text), item in zip(shown(document), document.items, strict=True)] == [
        ("Rain", ()),
        ("It rained a long time and more (https://example.org/rain).", ()),
        ("Results", ("Results",)),
        ("Rain by month.\nRed bars", ("Results",)),
        ("The legend.", ("Results",)),
        ("Numbers\nMonth | mm\nMay | 12", ("Results",)),
        ("1.2", ("Results",)),
        ("New in Cloud.", ("Results",)),
        ("- nested", ("Results",)),
        ("1. one", ("Results",)),
        ("2. two", ("Results",)),
        ("x = 1", ("Results",)),
        ("Detail", ("Results", "Detail")),
        ("Text [1] with .", ("Results", "Detail")),
        ("Blue box", ("Results", "Detail")),
        ("[1] A foot.", ("Results", "Detail")),
    ]
    assert linked_files(tmp_path / "a.rst") == ((tmp_path / "x.png").resolve(),)


@pytest.mark.parametrize(
    "directive",
    [
        ".. include:: secret.txt",
        ".. literalinclude:: secret.txt",
        ".. raw:: html\n   :file: secret.txt",
        ".. csv-table:: t\n   :file: secret.txt",
        ".. figure:: ../secret.txt",
    ],
)
def test_restructuredtext_reads_no_other_file(tmp_path: Path, directive: str):
    write(tmp_path / "in/secret.txt", "the secret")
    document = read(write(tmp_path / "in/a.rst", f"Before\n\n{directive}\n\nAfter\n"))
    assert [text for _, text in shown(document)] == ["Before", "After"]


def test_unknown_directives_within_each_other_end(tmp_path: Path):
    lines = [f"{'   ' * depth}.. unknown{depth}::\n" for depth in range(30)]
    document = read(write(tmp_path / "a.rst", "Before\n\n" + "\n".join(lines) + "\n" + "   " * 30 + "deep\n\nAfter\n"))
    assert shown(document)[-1] == ("paragraph", "After")


def test_asciidoc_keeps_its_structure(tmp_path: Path):
    write(tmp_path / "fig/x.png", png())
    document = read(write(tmp_path / "a.adoc", ADOC))
    assert (document.title, document.metadata) == ("Rain", {"author": "Ann Arbor"})
    assert [(*entry, item.section[1:]) for entry, item in zip(shown(document), document.items, strict=True)] == [
        ("heading", "Rain", ()),
        ("paragraph", "It rained a long time and more (https://example.org/rain).", ()),
        ("heading", "Results", ("Results",)),
        ("PICTURE", "Rain by month\nRed bars", ("Results",)),
        ("table", "Numbers\nMonth | mm\nMay | 12 | 12", ("Results",)),
        ("list", "- one", ("Results",)),
        ("list", "  - in", ("Results",)),
        ("list", "    1. first", ("Results",)),
        ("list", "    2. second", ("Results",)),
        ("paragraph", "NOTE: Take {care}.", ("Results",)),
        ("code", "x = 1\n  == not a heading", ("Results",)),
        ("heading", "Detail", ("Results", "Detail")),
        ("paragraph", "Text  here.", ("Results", "Detail")),
        ("PICTURE", "Blue box", ("Results", "Detail")),
    ]
    assert linked_files(tmp_path / "a.adoc") == ((tmp_path / "fig/x.png").resolve(),)


def test_asciidoc_includes_are_named_not_read(tmp_path: Path):
    write(tmp_path / "secret.txt", "the secret")
    document = read(write(tmp_path / "a.adoc", "Before\n\ninclude::secret.txt[]\n\nAfter\n"))
    assert [text for _, text in shown(document)] == ["Before", "After"]
    assert "include secret.txt" in told(document)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("|===\n|a |b\n|1 |2\n|===", "a | b\n1 | 2"),
        ("|===\n|a|b\n|1|2|\n|===", "a | b\n1 | 2"),
        ('[cols="2*"]\n|===\n|a\n|b\n|1\n|2\n|===', "a | b\n1 | 2"),
        ("|===\n|a |b\n.2+|x |1\n|2 |\n|===", "a | b\nx | 1\nx | 2"),
        (",===\na,b\n1,2\n,===", "a | b\n1 | 2"),
        ("|===\n|a |b\n|long\ntext |2\n|===", "a | b\nlong text | 2"),
        ("|===\n|a", "a"),
    ],
)
def test_asciidoc_tables_are_rows(tmp_path: Path, table: str, text: str):
    assert shown(read(write(tmp_path / "a.adoc", table)))[0] == ("table", text)


def test_an_attribute_that_refers_to_itself_does_not_grow(tmp_path: Path):
    lines = [":a: xxxxxxxxxx"] + [
        f":{b}: {{{a}}}{{{a}}}{{{a}}}{{{a}}}" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
    ]
    document = read(write(tmp_path / "a.adoc", "= T\n" + "\n".join(lines) + "\n:z: {z}{z}\n\n{k} {z}\n"))
    assert len(shown(document)[-1][1]) < 20_000


@pytest.mark.parametrize("name", ["a.adoc", "a.rst"])
def test_deep_nesting_ends(tmp_path: Path, name: str):
    nested = (
        "====\n" * 3 + "=====\n" * 200 if name == "a.adoc" else "".join(f"{' ' * d}* x\n\n" for d in range(0, 120, 2))
    )
    assert read(write(tmp_path / name, f"Before\n\n{nested}\n\nAfter\n")).items
