"""What is kept of compilations: whole, and made again where it is damaged."""

import dataclasses
import errno
import os
import tempfile
from pathlib import Path

import pytest

from lsm_stan.cmdstan import cache, compilation, compiled
from lsm_stan.cmdstan.cache import build_once, cache_lock, is_whole, note, read_note
from lsm_stan.cmdstan.compilation import compile_program, compile_with_fallback
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import latent_space_program, main_sources, sources_digest
from lsm_stan.errors import MachineError, ToolchainError

MAKEFILE = """\
CMDSTAN_VERSION := 2.27.0
print-CMDSTAN_MAIN_O: ; @echo CMDSTAN_MAIN_O = $(CMDSTAN_MAIN:.cpp=.o)
compile_info: ; @echo flags
%.o: ; {main}
%: %.stan ; {model}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Give an empty cache."""
    monkeypatch.setenv("LSM_STAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake(
    folder: Path,
    *,
    stanc: str = "for a in $*; do case $a in --o=*) echo cpp > ${a#--o=};; esac; done",
    main: str = "echo main > $@",
    model: str = "printf '\\043!/bin/sh\\nexit 0\\n' > $@; chmod +x $@",
) -> Toolchain:
    """Return a toolchain of small scripts; what is made by it does nothing."""
    executable(folder / "bin" / "stanc", stanc)
    (folder / "makefile").write_text(MAKEFILE.format(main=main, model=model))
    return Toolchain(folder, "2.27.0", "compiler of a test", "g++", "make")


def build(content: bytes):
    def build(folder: Path) -> Path:
        (folder / "built").write_bytes(content)
        return folder / "built"

    return build


def refuse(_folder: Path) -> Path:
    raise AssertionError("built again")


def once(target: Path, how, said: list[str] | None = None, **options) -> Path:
    tell = [] if said is None else said
    return build_once(target, how, tell.append, "building", "a second", **options)


@pytest.mark.parametrize("damage", [b"", b"con", b"contenT", b"content and more"])
def test_a_damaged_file_is_built_again(folder: Path, damage: bytes) -> None:
    target = folder / "models" / "m" / "m"
    once(target, build(b"content"), facts={"of": "tests"})
    assert once(target, refuse).read_bytes() == b"content"
    note_ = read_note(target)
    assert note_ is not None
    assert note_["of"] == "tests"
    target.write_bytes(damage)
    assert not is_whole(target)
    said: list[str] = []
    assert once(target, build(b"content"), said).read_bytes() == b"content"
    assert said == ["building (a second)…"]
    assert is_whole(target)
    assert [path.name for path in target.parent.iterdir()] == ["m"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_note_is_none(folder: Path, damage: bytes) -> None:
    target = once(folder / "main" / "m.o", build(b"content"))
    [file] = (folder / "notes").iterdir()
    file.write_bytes(damage)
    assert read_note(target) is None
    assert once(target, refuse) == target


def test_a_file_without_a_note_is_whole_unless_empty(folder: Path) -> None:
    target = folder / "main" / "m.o"
    target.parent.mkdir(parents=True)
    target.touch()
    assert once(target, build(b"content")).read_bytes() == b"content"


def test_a_cache_that_cannot_be_written_is_said_before_anything_is_built(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LSM_STAN_CACHE", str(tmp_path / "file" / "cache"))
    words = r"building: .*m\.o: .*file is a file, no folder; set LSM_STAN_CACHE to a folder that"
    with pytest.raises(MachineError, match=words):
        once(tmp_path / "file" / "cache" / "m.o", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with cache_lock("fits", print, "saving a fit"):  # what needs no cache works without
        assert [path.name for path in tmp_path.glob("*/fits.lock")] == ["fits.lock"]


def test_no_room_for_what_is_built_is_said(folder: Path) -> None:
    def full(_folder: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    with pytest.raises(MachineError, match="building: somewhere: No space left on device; free"):
        once(folder / "main" / "m.o", full)
    assert not list(folder.glob("main/*"))


def test_make_works_where_no_path_has_blanks(folder: Path, tmp_path, monkeypatch) -> None:
    blank = tmp_path / "a folder with blanks"
    blank.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(blank))
    where: list[Path] = []

    def note_where(work: Path) -> Path:
        where.append(work)
        return build(b"content")(work)

    once(folder / "main" / "m.o", note_where)
    assert " " not in str(where[0])
    monkeypatch.setattr(cache, "_WITHOUT_BLANKS", ())
    with pytest.raises(MachineError, match=r"make cannot work in .*with blanks, .*; set TMPDIR"):
        once(folder / "main" / "n.o", refuse)


def test_a_fake_program_is_compiled_once_and_again_when_damaged(folder: Path, tmp_path) -> None:
    toolchain = fake(tmp_path / "cmdstan")
    program = tmp_path / "program.stan"
    program.write_text("model {}\n")
    said: list[str] = []

    def compiled_path() -> Path:
        model = compile_program(program, toolchain=toolchain, progress=said.append)
        return Path(model.exe_file)

    path = compiled_path()
    assert len(said) == 2
    assert compiled_path() == path
    assert len(said) == 2
    [note_file] = (folder / "notes").glob("models*")
    for noted in (True, False):
        for damage in (b"", path.read_bytes()[:5]):
            path.write_bytes(damage)
            path.chmod(0o755)
            if not noted:
                note_file.unlink()
            said.clear()
            assert compiled_path() == path
            assert said[:1] == [f"{path} is damaged: it is compiled again"], (noted, damage)
            assert is_whole(path)
    path.chmod(0o644)
    compiled_path()
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ({"stanc": "echo 'Sys_error: No space left on device' >&2; exit 2"}, "No space left"),
        ({"stanc": "kill -XFSZ $$"}, "File size limit exceeded"),
        ({"main": "echo 'as: main.o: No space left on device' >&2; exit 1"}, "as: main.o"),
        ({"main": "kill -XFSZ $$$$"}, "File size limit exceeded"),
        ({"model": "echo 'ld: final link failed: File too large' >&2; exit 1"}, "File too large"),
        ({"model": "echo 'g++: fatal error: Killed signal terminated program'; exit 1"}, "memory"),
    ],
)
def test_a_machine_that_is_too_small_is_no_reason_for_slower_functions(
    folder: Path, tmp_path, failure, words
) -> None:
    # any warning would fail the test
    with pytest.raises(MachineError, match=r"was not compiled: ") as caught:
        compile_with_fallback(toolchain=fake(tmp_path / "cmdstan", **failure))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("models/*/*"))


def test_a_compiler_that_fails_without_a_word_is_quoted_so(folder: Path, tmp_path) -> None:
    program = tmp_path / "program.stan"
    program.write_text("model {}\n")
    with pytest.raises(ToolchainError, match="it ended with code 3, without a word"):
        compile_program(program, toolchain=fake(tmp_path / "cmdstan", stanc="exit 3"))


@pytest.fixture
def compiled_before(folder: Path, tmp_path, monkeypatch):
    """Put an executable into the cache as one of the model, and take the compiler away."""
    toolchain = fake(tmp_path / "cmdstan")
    path = executable(folder / "models" / "latent_space-key" / "latent_space", "exit 0")
    facts = {
        "sources": sources_digest("cpp"),
        "main": compilation.digest_of(main_sources().values()),
        "threads": False,
        "toolchain": {**dataclasses.asdict(toolchain), "path": str(toolchain.path)},
    }
    note(path, facts)

    def missing() -> Toolchain:
        raise ToolchainError("no C++ compiler was found")

    monkeypatch.setattr(compiled, "ensure_toolchain", missing)
    monkeypatch.setattr(compilation.cmdstanpy, "set_cmdstan_path", lambda _: None)
    return path, facts, toolchain


def test_without_a_compiler_what_is_compiled_runs(compiled_before, capsys) -> None:
    path, _, toolchain = compiled_before
    actual = compiled.compile_latent_space()
    assert (Path(actual.executable.exe_file), actual.toolchain) == (path, toolchain)
    assert (actual.kernel, actual.program) == ("cpp", sources_digest("cpp"))
    assert capsys.readouterr().err == (
        "no C++ compiler was found; taking the program that was compiled by compiler of a test\n"
    )
    assert latent_space_program().stem == "latent_space"


@pytest.mark.parametrize("change", [{"sources": "x"}, {"main": "x"}, {"threads": True}, None])
def test_without_a_compiler_other_programs_do_not_run(compiled_before, change) -> None:
    path, facts, _ = compiled_before
    if change is None:
        path.write_text("damaged")
    else:
        note(path, facts | change)
    with pytest.raises(ToolchainError, match=r"no C\+\+ compiler was found"):
        compiled.compile_latent_space()
