"""Fixtures that several files share. The bundled encoder is loaded once; corpora are copied, not made again."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The same examples everywhere, however slow the machine is. `--hypothesis-profile search` draws others.
settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("repeatable"), derandomize=False)
settings.load_profile("repeatable")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch, _no_settings):
    """A test sees neither the environment's TRIPTYCH_* settings nor a triptych.toml of the working directory."""
    for name in list(os.environ):
        if name.startswith("TRIPTYCH_") and not name.startswith("TRIPTYCH_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(_no_settings))


@pytest.fixture(scope="session")
def _no_settings(tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "empty.toml"
    file.touch()
    return file


@pytest.fixture(scope="session")
def shared_data():
    """Real data beside the checkout; tests that need it skip by name where it is missing."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.exists():
            pytest.skip(f"../shared/data/{name} is not here")
        return folder

    return find


@pytest.fixture(scope="session")
def _demo_corpus(tmp_path_factory):
    from rag.corpus import Corpus
    from rag.demo import FILES

    folder = tmp_path_factory.mktemp("demo") / "corpus"
    with Corpus.open(folder) as corpus:
        report = corpus.ingest(FILES)
    assert not report.to_json()["failures"]
    return folder


@pytest.fixture
def demo_corpus(_demo_corpus, tmp_path):
    """A corpus of the demo files, by the bundled encoder, that the test may change."""
    return Path(shutil.copytree(_demo_corpus, tmp_path / "demo-corpus"))
