"""The e-mail reader: headers, body, inline pictures, and attachments by their own readers, to a bounded depth."""

from __future__ import annotations

from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import docx
import pytest

from ingestion.readers import eml, read
from rag.errors import SourceError
from tests.document_files import png, shown, told, write


def message(body: str = "Hello Bob,\n\nit rained.", subject: str = "Rain") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ann <ann@example.org>", "Bob <bob@example.org>, Cy <cy@example.org>"
    mail["Date"], mail["Subject"] = "Wed, 01 May 2024 09:30:00 +0200", subject
    mail.set_content(body)
    return mail


def test_headers_are_metadata_and_text(tmp_path: Path):
    document = read(write(tmp_path / "a.eml", message().as_bytes()))
    assert document.title == "Rain"
    assert document.metadata == {
        "from": "Ann <ann@example.org>",
        "to": ["Bob <bob@example.org>", "Cy <cy@example.org>"],
        "date": "2024-05-01T09:30:00+02:00",
        "subject": "Rain",
    }
    assert shown(document) == [
        ("heading", "Rain"),
        (
            "paragraph",
            "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>, Cy <cy@example.org>\n"
            "Date: 2024-05-01T09:30:00+02:00",
        ),
        ("paragraph", "Hello Bob,"),
        ("paragraph", "it rained."),
    ]


def test_pictures_of_the_page_are_shown_in_their_place_and_others_after_it(tmp_path: Path):
    mail = message()
    mail.add_alternative('<p>Before</p><img src="cid:one" alt="Red bars"><p>After</p>', subtype="html")
    mail.get_payload()[1].add_related(png("red"), "image", "png", cid="<one>")
    mail.add_attachment(png("blue"), "image", "png", filename="blue.png", disposition="inline")
    document = read(write(tmp_path / "a.eml", mail.as_bytes()))
    assert shown(document)[2:] == [
        ("paragraph", "Before"),
        ("PICTURE", "Red bars"),
        ("paragraph", "After"),
        ("PICTURE", ""),
    ]


def test_an_attachment_is_read_by_its_own_reader_under_a_section(tmp_path: Path):
    file, buffer = docx.Document(), BytesIO()
    file.add_heading("Results", 1)
    file.add_paragraph("It rained.")
    file.save(buffer)
    mail = message()
    mail.add_attachment(buffer.getvalue(), "application", "octet-stream", filename="../../report.docx")
    mail.add_attachment(b"\x00\x01", "application", "octet-stream", filename="what.bin")
    mail.add_attachment("Month,mm\nMay,12\n", subtype="csv", filename="rain.csv")
    document = read(write(tmp_path / "a.eml", mail.as_bytes()))
    assert [(text, document.items[at].section) for at, (_, text) in enumerate(shown(document))][4:] == [
        ("Attachment: report.docx", ("Rain", "Attachment: report.docx")),
        ("Results", ("Rain", "Attachment: report.docx", "Results")),
        ("It rained.", ("Rain", "Attachment: report.docx", "Results")),
        ("Attachment: rain.csv", ("Rain", "Attachment: rain.csv")),
        ("Month | mm\nMay | 12", ("Rain", "Attachment: rain.csv")),
    ]
    assert "attachment what.bin: what.bin is of an unknown kind" in told(document)
    assert [path.name for path in tmp_path.iterdir()] == ["a.eml"]


def test_messages_within_messages_end_at_a_depth(tmp_path: Path):
    mail = message("the innermost", "level 9")
    for level in range(8, -1, -1):
        outer = message(f"text {level}", f"level {level}")
        outer.add_attachment(mail)
        mail = outer
    document = read(write(tmp_path / "a.eml", mail.as_bytes()))
    words = [text for _, text in shown(document)]
    assert f"text {eml.MAX_DEPTH}" in words
    assert f"text {eml.MAX_DEPTH + 1}" not in words
    assert "a message within messages: nested deeper than 5" in told(document)


def test_more_parts_than_the_bound_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(eml, "MAX_PARTS", 3)
    mail = message()
    for number in range(5):
        mail.add_attachment(f"text {number}", filename=f"{number}.txt")
    document = read(write(tmp_path / "a.eml", mail.as_bytes()))
    assert "parts of the message" in told(document)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("https://example.org/pixel.png", "never fetched"),
        ("cid:gone", "does not hold"),
        ("/etc/passwd", "does not hold"),
    ],
)
def test_nothing_outside_of_the_message_is_read(tmp_path: Path, source: str, reason: str):
    mail = message()
    mail.add_alternative(f'<p>x</p><img src="{source}" alt="the words">', subtype="html")
    document = read(write(tmp_path / "a.eml", mail.as_bytes()))
    assert shown(document)[-1] == ("caption", "the words")
    assert reason in told(document)


@pytest.mark.parametrize("charset", ["koi8-r", "utf-8", "no-such-charset"])
def test_bodies_of_any_charset_are_text(tmp_path: Path, charset: str):
    words = "Дождь шёл весь май, и снова в июне; река поднялась."
    data = words.encode("utf-8" if charset.startswith("no") else charset)
    raw = f"From: a@example.org\nContent-Type: text/plain; charset={charset}\n\n".encode() + data
    assert shown(read(write(tmp_path / "a.eml", raw)))[-1] == ("paragraph", words)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: \xff\xfe<<>>,,;:\nTo: ,,,@,\nDate: never\nSubject: =?utf-8?b?%%%?=\n\ntext",
        b"From: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\ntext",
        b"From: a\nContent-Type: multipart/mixed\n\ntext",
        b"From: a\nContent-Transfer-Encoding: base64\n\n%%%text",
        b'From: a\nContent-Type: text/html; charset="\n\n<p>text',
    ],
)
def test_a_malformed_message_is_read_as_far_as_it_goes(tmp_path: Path, raw: bytes):
    assert read(write(tmp_path / "a.eml", raw)).mime == "message/rfc822"


def test_what_has_no_headers_is_no_message(tmp_path: Path):
    with pytest.raises(SourceError, match="not an e-mail message"):
        read(write(tmp_path / "a.eml", b"\x00\x01\x02 just bytes"))


def test_a_saved_web_archive_shows_its_pictures(tmp_path: Path):
    raw = (
        b'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n--x\nContent-Type: text/html\n\n'
        b'<p>Page</p><img src="https://example.org/a.png" alt="Red">\n--x\nContent-Type: image/png\n'
        b"Content-Location: https://example.org/a.png\nContent-Transfer-Encoding: base64\n\n"
    )
    import base64

    document = read(write(tmp_path / "a.mhtml", raw + base64.b64encode(png()) + b"\n--x--\n"))
    assert shown(document) == [("paragraph", "Page"), ("PICTURE", "Red")]
