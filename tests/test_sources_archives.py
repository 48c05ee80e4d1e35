"""What becomes of the members of an archive, of good ones and of hostile ones."""

from __future__ import annotations

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.sources.archives import Unpacked, unpack
from ingestion.sources.limits import Limits
from rag.errors import SourceError

NOISE = Random(0).randbytes(3000)
SMALL = Limits(unpacked=1 << 20, members=10, ratio=20, free=1 << 16)


def unpacked(path: Path, limits: Limits = SMALL) -> tuple[dict[str, bytes], Unpacked]:
    into = path.parent / "into"
    into.mkdir()
    result = unpack(path, into, limits, "the archive")
    return {file.relative_to(into).as_posix(): file.read_bytes() for file in into.rglob("*") if file.is_file()}, result


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def link(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


GOOD = {"a.txt": b"words", "sub/page.html": b"<p>", "sub/pic.png": b"\x89PNG", "ä/ö.txt": b""}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_is_unpacked_with_the_names_it_has(tmp_path: Path, method: int):
    files, result = unpacked(zipped(tmp_path / "a.zip", GOOD, method))
    assert files == GOOD
    assert result == Unpacked()


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz")],
)
def test_a_tar_file_is_unpacked_with_the_names_it_has(tmp_path: Path, name: str, mode: str):
    files, result = unpacked(tarred(tmp_path / name, dict(GOOD), mode))
    assert files == GOOD
    assert result == Unpacked()


def test_the_content_says_what_kind_an_archive_is(tmp_path: Path):
    assert unpacked(zipped(tmp_path / "a.tar", GOOD))[0] == GOOD


def test_a_tar_file_that_ends_in_a_zip_file_is_a_tar_file(tmp_path: Path):
    inner = zipped(tmp_path / "inner.zip", {"evil.txt": b"x"}).read_bytes()
    assert unpacked(tarred(tmp_path / "a.tar", {"inner.zip": inner}))[0] == {"inner.zip": inner}


HOSTILE = ["../out.txt", "/abs.txt", "a/../../out.txt", "C:\\x.txt", "..\\out.txt", "x\ny.txt"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_that_would_land_elsewhere_is_reported_and_not_written(tmp_path: Path, name: str):
    for kind in ("zip", "tar"):
        folder = tmp_path / kind
        folder.mkdir()
        members: dict[str, bytes] = {"good.txt": b"1", name: b"2"}
        path = zipped(folder / "a.zip", members) if kind == "zip" else tarred(folder / "a.tar", dict(members))
        files, result = unpacked(path)
        assert files == {"good.txt": b"1"}
        assert list(result.failed) == [name]
        assert {file.name for file in folder.iterdir()} == {path.name, "into"}


def test_links_and_devices_are_never_made(tmp_path: Path):
    kinds = {
        "soft": link("soft", tarfile.SYMTYPE, "/etc/passwd"),
        "hard": link("hard", tarfile.LNKTYPE, "a.txt"),
        "pipe": link("pipe", tarfile.FIFOTYPE),
        "device": link("device", tarfile.CHRTYPE),
    }
    files, result = unpacked(tarred(tmp_path / "a.tar", {"a.txt": b"1", **kinds, "soft/x.txt": b"2"}))
    assert files == {"a.txt": b"1", "soft/x.txt": b"2"}
    assert result.left_out == dict.fromkeys(kinds, "a link or a device, never made")
    assert not (tmp_path / "into/soft").is_symlink()


def test_a_link_in_a_zip_file_is_not_made(tmp_path: Path):
    info = zipfile.ZipInfo("soft")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    files, result = unpacked(tmp_path / "a.zip")
    assert files == {}
    assert list(result.left_out) == ["soft"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_unpacks_to_too_much_is_refused_as_a_whole(tmp_path: Path, kind: str):
    bomb = {"bomb.txt": b"0" * (900 << 10)}
    path = zipped(tmp_path / "a.zip", bomb) if kind == "zip" else tarred(tmp_path / "a.tar.gz", dict(bomb), "w:gz")
    with pytest.raises(SourceError, match=r"the archive unpacks to more than \d+ bytes; 20 times its size"):
        unpacked(path)
    assert sum(file.stat().st_size for file in (tmp_path / "into").iterdir()) <= SMALL.free


def test_a_size_that_is_a_lie_does_not_help_a_bomb(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"bomb.txt": b"0" * (900 << 10)})
    told = struct.pack("<L", 900 << 10)
    path.write_bytes(path.read_bytes().replace(told, struct.pack("<L", 100)))
    files, result = unpacked(path)
    assert sum(map(len, files.values())) <= 100
    assert "damaged" in result.failed["bomb.txt"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_too_many_members_is_refused(tmp_path: Path, kind: str):
    members = {f"{number}.txt": b"" for number in range(11)}
    path = zipped(tmp_path / "a.zip", members) if kind == "zip" else tarred(tmp_path / "a.tar", dict(members))
    with pytest.raises(SourceError, match="more than 10 members"):
        unpacked(path)


def test_a_directory_that_claims_gigabytes_is_not_read(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", GOOD)
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rfind(b"PK\x05\x06") + 12, 1 << 30)
    path.write_bytes(data)
    with pytest.raises(SourceError, match="a directory of more than"):
        unpacked(path)


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 33
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(SourceError, match=f"a header of {1 << 33} bytes"):
        unpacked(tmp_path / "a.tar")


def test_headers_count_towards_the_size_of_an_archive(tmp_path: Path):
    padding = link("x" * 90, tarfile.SYMTYPE, "y" * 90).tobuf(tarfile.GNU_FORMAT) * 4000
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(padding))
    with pytest.raises(SourceError, match="unpacks to more than"):
        unpacked(tmp_path / "a.tar.gz", Limits(unpacked=1 << 20, members=10**6, free=1 << 16))


def test_an_encrypted_member_is_reported_and_the_others_are_kept(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"a.txt": b"1", "secret.txt": b"2"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    files, result = unpacked(path)
    assert files == {"a.txt": b"1"}
    assert result.failed == {"secret.txt": "encrypted; pack it without a password"}


def test_of_two_members_of_one_name_the_last_is_kept(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "new")
    files, result = unpacked(tmp_path / "a.zip")
    assert files == {"a.txt": b"new"}
    assert result.left_out == {"a.txt": "another member of this name comes later"}


def test_a_file_and_a_folder_of_one_name_are_told_apart_by_a_failure(tmp_path: Path):
    for name, members in (("1", {"a": b"1", "a/b": b"2"}), ("2", {"a/b": b"2", "a": b"1"})):
        folder = tmp_path / name
        folder.mkdir()
        files, result = unpacked(zipped(folder / "a.zip", members))
        assert len(files) == 1
        assert len(result.failed) == 1


def test_a_name_in_no_encoding_that_is_known_is_reported_in_utf_8(tmp_path: Path):
    header = tarfile.TarInfo("\udcff.txt")
    data = header.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + bytes(10240)
    (tmp_path / "a.tar").write_bytes(data)
    assert unpacked(tmp_path / "a.tar")[1].failed == {"?.txt": "the name is not UTF-8"}


def test_a_utf_8_name_without_the_flag_is_read_as_utf_8(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"ä.txt": b"1"})
    data = bytearray(path.read_bytes())
    data[7] &= ~0x08
    data[data.rfind(b"PK\x01\x02") + 9] &= ~0x08
    path.write_bytes(data)
    assert unpacked(path)[0] == {"ä.txt": b"1"}


def test_a_damaged_member_is_reported_and_the_others_are_kept(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"bad.txt": b"first" * 20, "good.txt": b"2"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"firstfirst", b"FIRSTfirst", 1))
    files, result = unpacked(path)
    assert files == {"good.txt": b"2"}
    assert "damaged" in result.failed["bad.txt"]


@pytest.mark.parametrize("end", [700, 1500, 2300, 5000])
def test_a_tar_file_that_breaks_off_is_never_taken_for_whole(tmp_path: Path, end: int):
    whole = tarred(tmp_path / "a.tar", {"a.txt": NOISE[:900], "b.txt": NOISE}).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:end])
    with pytest.raises(SourceError, match="damaged"):
        unpacked(tmp_path / "a.tar")


def test_a_damaged_header_is_not_the_end_of_the_archive(tmp_path: Path):
    data = bytearray(tarred(tmp_path / "a.tar", {"a.txt": b"1", "b.txt": b"2"}).read_bytes())
    data[1024 + 20] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(SourceError, match="damaged"):
        unpacked(tmp_path / "a.tar")


MUTABLE = [
    (".zip", lambda path: zipped(path, GOOD)),
    (".tar", lambda path: tarred(path, dict(GOOD))),
    (".tar.gz", lambda path: tarred(path, dict(GOOD), "w:gz")),
    (".tar.bz2", lambda path: tarred(path, dict(GOOD), "w:bz2")),
    (".tar.xz", lambda path: tarred(path, dict(GOOD), "w:xz")),
]


@pytest.mark.parametrize(("suffix", "make"), MUTABLE, ids=[suffix for suffix, _ in MUTABLE])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_archive_raises_nothing_but_the_error_it_should(tmp_path_factory, suffix, make, data):
    folder = tmp_path_factory.mktemp("fuzz")
    path = make(folder / f"a{suffix}")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(SourceError):
        unpacked(path)
    assert {file.name for file in folder.iterdir()} == {path.name, "into"}


def test_bz2_damage_in_a_zip_member_is_damage_not_a_full_disk(tmp_path: Path):
    content = NOISE[:2000]
    path = zipped(tmp_path / "a.zip", {"a.txt": content, "b.txt": b"2"}, zipfile.ZIP_BZIP2)
    packed = bz2.compress(content)
    data = path.read_bytes()
    at = data.index(packed[:8])
    path.write_bytes(data[: at + 60] + b"\xff" * 40 + data[at + 100 :])
    files, result = unpacked(path)
    assert files == {"b.txt": b"2"}
    assert "damaged" in result.failed["a.txt"]
