"""Which revision counts as published, seen in repositories made for it."""

import subprocess
from pathlib import Path

import pytest

from tests.architecture.published import BaseUnknown, published, published_names

NOBODY = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false")


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "contract.json"

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *NOBODY, *arguments], cwd=self.root, check=True, capture_output=True)  # noqa: S607

    def commit(self, text: str) -> None:
        self.file.write_text(text)
        self.git("add", ".")
        self.git("commit", "--message", text)

    @property
    def published(self) -> bytes | None:
        return published(self.file, self.root)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("ORDERFLOW_CONTRACT_BASE", raising=False)
    made = Repository(tmp_path / "repository")
    made.root.mkdir()
    made.git("init", "--quiet", "--initial-branch", "main")
    return made


def test_on_the_main_branch_it_is_the_commit_before(repository: Repository) -> None:
    repository.commit("first")
    repository.commit("second")
    assert repository.published == b"first"


def test_on_the_main_branch_with_changes_it_is_the_last_commit(repository: Repository) -> None:
    repository.commit("first")
    repository.commit("second")
    repository.file.write_text("third")
    assert repository.published == b"second"


def test_on_another_branch_it_is_where_that_began(repository: Repository) -> None:
    repository.commit("first")
    repository.git("switch", "--create", "other")
    repository.commit("second")
    repository.commit("third")
    assert repository.published == b"first"


def test_the_remote_branch_comes_before_a_local_one(repository: Repository) -> None:
    repository.commit("first")
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.commit("second")
    repository.commit("third")
    assert repository.published == b"first"


def test_a_named_revision_comes_before_all(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit("first")
    repository.git("tag", "released")
    repository.commit("second")
    repository.commit("third")
    monkeypatch.setenv("ORDERFLOW_CONTRACT_BASE", "released")
    assert repository.published == b"first"


def test_a_named_revision_that_is_not_there_is_no_empty_one(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("first")
    monkeypatch.setenv("ORDERFLOW_CONTRACT_BASE", "relaesed")
    with pytest.raises(BaseUnknown, match="ORDERFLOW_CONTRACT_BASE=relaesed names no commit"):
        _ = repository.published


def test_a_file_that_is_new_was_not_published(repository: Repository) -> None:
    repository.commit("first")
    repository.commit("second")
    assert published(repository.root / "new.json", repository.root) is None


def test_a_folder_is_listed_as_it_was(repository: Repository) -> None:
    folder = repository.root / "json"
    folder.mkdir()
    (folder / "old.json").write_text("{}")
    repository.commit("first")
    (folder / "new.json").write_text("{}")
    assert published_names(folder, repository.root) == ["old.json"]


def test_without_a_commit_before_nothing_is_published(repository: Repository) -> None:
    repository.commit("first")
    assert repository.published is None
    assert published_names(repository.root / "json", repository.root) == []


def test_without_a_repository_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDERFLOW_CONTRACT_BASE", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert published(tmp_path / "contract.json", tmp_path) is None


def test_without_git_nothing_is_published(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit("first")
    repository.commit("second")
    monkeypatch.setenv("PATH", "")
    assert repository.published is None
