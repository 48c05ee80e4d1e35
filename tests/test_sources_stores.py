"""Object stores, over fsspec's own store in memory: which objects are read, and what becomes of the others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from ingestion.sources.limits import Limits
from ingestion.sources.stores import PROTOCOLS, address, check, download, listing
from rag.errors import InputError, MissingExtra, SourceError, SourceGone


@pytest.fixture
def bucket() -> Iterator[dict[str, bytes]]:
    """Objects of memory://bucket, written with `put`."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store.store
    store.store.clear()


def put(**objects: bytes) -> None:
    store = fsspec.filesystem("memory")
    for key, data in objects.items():
        store.pipe_file("/bucket/" + key.replace("__", "/").replace("_", "."), data)


def paths(url: str) -> list[str]:
    return [str(item.path) for item in listing(url, Limits()).objects]


@pytest.mark.usefixtures("bucket")
def test_a_prefix_is_all_objects_below_it():
    put(a_txt=b"1", sub__b_txt=b"2", subway_txt=b"3")
    assert paths("memory://bucket") == ["a.txt", "sub/b.txt", "subway.txt"]
    assert paths("memory://bucket/sub") == paths("memory://bucket/sub/") == ["b.txt"]


@pytest.mark.usefixtures("bucket")
def test_one_object_is_itself():
    put(sub__b_txt=b"2")
    found = listing("memory://bucket/sub/b.txt", Limits())
    assert found.single
    assert [str(item.path) for item in found.objects] == ["b.txt"]


def test_the_empty_objects_that_stand_for_folders_are_no_documents(
    bucket: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    put(docs__sub__b_txt=b"2")
    store = fsspec.filesystem("memory")
    listed = store.find("/bucket/docs", detail=True)
    for marker in ("/bucket/docs", "/bucket/docs/", "/bucket/docs/sub/"):  # as s3fs tells of them
        listed[marker] = {"name": marker, "size": 0, "type": "file"}
    monkeypatch.setattr(type(store), "find", lambda *_, **__: listed)
    found = listing("memory://bucket/docs", Limits())
    assert [str(item.path) for item in found.objects] == ["sub/b.txt"]
    assert not found.refused


@pytest.mark.usefixtures("bucket")
def test_a_listing_is_never_older_than_the_question():
    put(a_txt=b"1")
    assert paths("memory://bucket") == ["a.txt"]
    put(b_txt=b"1")
    assert paths("memory://bucket") == ["a.txt", "b.txt"]


@pytest.mark.usefixtures("bucket")
def test_objects_are_written_below_the_folder(tmp_path: Path):
    put(a_txt=b"1", sub__b_txt=b"2")
    found = listing("memory://bucket", Limits())
    assert download(found.files, found.objects, tmp_path, Limits()) == {}
    assert (tmp_path / "sub/b.txt").read_bytes() == b"2"


def test_an_object_whose_key_leads_elsewhere_is_refused(bucket: dict[str, bytes]):
    put(a_txt=b"1")
    bucket["/bucket/../../out.txt"] = bucket["/bucket/a.txt"]
    found = listing("memory://bucket", Limits())
    assert [str(item.path) for item in found.objects] == ["a.txt"]
    assert list(found.refused.values()) == ["the name leads out of the folder"]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("told", [True, False])
def test_an_object_that_is_too_large_is_reported_and_nothing_of_it_kept(tmp_path: Path, told: bool):
    put(a_txt=b"1", big_txt=b"0" * 100)
    found = listing("memory://bucket", Limits())
    objects = [item if told else replace(item, size=1) for item in found.objects]
    errors = download(found.files, objects, tmp_path, Limits(fetched=10))
    assert {str(path) for path in errors} == {"big.txt"}
    assert "is larger than 10 bytes" in str(*errors.values())
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_an_object_that_goes_away_meanwhile_is_reported(bucket: dict[str, bytes], tmp_path: Path):
    put(a_txt=b"1")
    found = listing("memory://bucket", Limits())
    bucket.clear()
    (error,) = download(found.files, found.objects, tmp_path, Limits()).values()
    assert isinstance(error, SourceGone)


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("limits", "told"), [(Limits(members=1), "at most 1 are read"), (Limits(unpacked=1), "at most 1 are")]
)
def test_a_prefix_of_too_much_is_refused_before_anything_is_fetched(limits: Limits, told: str):
    put(a_txt=b"1", b_txt=b"2")
    with pytest.raises(SourceError, match=told):
        listing("memory://bucket", limits)


@pytest.mark.usefixtures("bucket")
def test_nothing_at_a_url_is_told():
    with pytest.raises(SourceGone, match="memory://nowhere: nothing is there"):
        listing("memory://nowhere/", Limits())


@pytest.mark.parametrize(
    ("url", "name"),
    [("S3A://bucket/a/", "s3://bucket/a"), ("gcs://bucket", "gs://bucket"), ("az://box/a b", "az://box/a b")],
)
def test_one_object_has_one_name_however_its_protocol_is_called(url: str, name: str):
    assert address(url) == name


@pytest.mark.parametrize("url", ["ftp://host/x", "ssh://host/x", "github://a:b@/x", "local://x", "reference://x"])
def test_only_the_protocols_of_the_list_are_spoken(url: str):
    with pytest.raises(InputError, match="unknown kind"):
        address(url)


@pytest.mark.parametrize("url", ["s3://", "s3:///", "memory://a::s3://b", "s3://a::file:///etc/passwd"])
def test_what_names_no_bucket_or_wraps_another_url_is_refused(url: str):
    with pytest.raises(InputError, match="names no bucket"):
        address(url)


@pytest.mark.parametrize("protocol", ["s3", "gs", "az"])
def test_a_package_that_is_missing_is_named(protocol: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, PROTOCOLS[protocol], None)
    with pytest.raises(MissingExtra, match=f"{protocol}:// needs .* pip install {PROTOCOLS[protocol]}"):
        check(f"{protocol}://bucket/x")


@pytest.mark.usefixtures("bucket")
def test_an_error_of_a_protocols_own_kind_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch):
    class NoCredentials(Exception):
        """As botocore has it: of no kind that could be caught by name."""

    def fail(*_: object, **__: object) -> None:
        raise NoCredentials("no credentials\nwere found")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "isfile", fail)
    with pytest.raises(SourceError, match=r"cannot be read \(NoCredentials: no credentials were found\); check"):
        listing("memory://bucket", Limits())
