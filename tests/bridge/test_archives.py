"""Archives are unpacked inside their folder, or not at all."""

import contextlib
import io
import tarfile
from pathlib import Path

import pytest
from allennlp.models import archival

from elmo_tasks.bridge.archives import unpack
from elmo_tasks.errors import InputError


@pytest.fixture(params=["with filters", "without filters"], autouse=True)
def _python_with_and_without_filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without filters":
        monkeypatch.delattr(tarfile, "data_filter")
        # Python 3.12 and 3.13 warn of what the Python imitated here does not know.
        monkeypatch.setattr(
            tarfile.TarFile, "extraction_filter", staticmethod(lambda member, path: member), raising=False
        )


def archive_of(file: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for member in members:
            content = b"words" if member.isfile() else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_ordinary_archives_are_unpacked(tmp_path: Path) -> None:
    archive = archive_of(
        tmp_path / "model.tar.gz",
        member("config.json"),
        member("vocabulary", tarfile.DIRTYPE),
        member("vocabulary/a.txt"),
    )
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "config.json").read_text() == "words"
    assert (tmp_path / "out" / "vocabulary" / "a.txt").read_text() == "words"


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped.txt"),
        member("vocabulary/../../escaped.txt"),
        member("link", tarfile.SYMTYPE, "../escaped.txt"),
        member("link", tarfile.LNKTYPE, "../escaped.txt"),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_what_leaves_the_folder_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    archive = archive_of(tmp_path / "model.tar.gz", member("config.json"), bad)
    with pytest.raises(InputError, match=r"model\.tar\.gz: refused to unpack"):
        unpack(archive, tmp_path / "inside" / "out")
    assert not (tmp_path / "inside" / "escaped.txt").exists()


def test_absolute_names_stay_inside_or_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "escaped.txt"
    archive = archive_of(tmp_path / "model.tar.gz", member(str(target)))
    with contextlib.suppress(InputError):
        unpack(archive, tmp_path / "out")
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not an archive", "half"])
def test_broken_archives_are_named(content: bytes | str, tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "model.tar.gz", *(member(f"{number}.txt") for number in range(200)))
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(InputError, match=r"model\.tar\.gz: found no complete"):
        unpack(archive, tmp_path / "out")


def test_allennlp_unpacks_so(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "model.tar.gz", member("../escaped.txt"))
    with pytest.raises(InputError, match="refused to unpack"):
        archival.load_archive(archive)
    archive = archive_of(tmp_path / "model.tar.gz", member("config.json"))
    with archival.extracted_archive(archive) as folder:
        assert [file.name for file in Path(folder).iterdir()] == ["config.json"]
    assert not Path(folder).exists()
    with archival.extracted_archive(archive, cleanup=False) as folder:
        pass
    assert (Path(folder) / "config.json").exists()
