import glob
from pathlib import Path

import pytest

from stock_pipeline.settings import FILE_VARIABLE, load_settings, settings_file
from stock_pipeline_tests.harness.given_settings import Given, refusal

PATHS = ["path", "actions_path", "fundamentals_path", "instruments_path", "universe_path", "confirmed_path", "renames_path"]


@pytest.fixture
def elsewhere(given: Given, tmp_path: Path) -> Path:
    """The folder of a settings file that does not lie in the working directory."""
    folder = tmp_path / "etc [1]"
    folder.mkdir()
    given(SETTINGS=str(folder / "mine.yaml"))
    return folder


def write(folder: Path, text: str) -> None:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")


def test_the_data_directory_is_absolute_whoever_gave_it(given: Given, elsewhere: Path, tmp_path: Path) -> None:
    write(elsewhere, "")
    assert load_settings().home == tmp_path / "data"
    write(elsewhere, "home: stocks")
    assert load_settings().home == elsewhere / "stocks"
    write(elsewhere, "home: /srv/stocks")
    assert load_settings().home == Path("/srv/stocks")
    given(HOME="./stocks")
    assert load_settings().home == tmp_path / "stocks"


@pytest.mark.parametrize("name", PATHS)
def test_files_of_a_source_are_absolute_as_well(given: Given, elsewhere: Path, tmp_path: Path, name: str) -> None:
    write(elsewhere, f"source: {{{name}: 'bars/*.csv'}}")
    (elsewhere / "bars").mkdir()
    (elsewhere / "bars" / "a.csv").touch()
    assert glob.glob(getattr(load_settings().source, name)) == [str(elsewhere / "bars" / "a.csv")]  # noqa: PTH207  (as the reader does)
    write(elsewhere, f"source: {{{name}: '/srv/[ab]*.csv'}}")
    assert getattr(load_settings().source, name) == "/srv/[ab]*.csv"
    given(**{f"SOURCE__{name.upper()}": "bars/*.csv"})
    assert getattr(load_settings().source, name) == str(tmp_path / "bars/*.csv")


def test_a_file_beside_the_working_directory_is_as_one_in_it(given: Given, tmp_path: Path) -> None:
    given("home: here\nsource: {path: a.csv}")
    settings = load_settings()
    assert (settings.home, settings.source.path) == (tmp_path / "here", str(tmp_path / "a.csv"))


def test_a_tilde_is_the_home_directory(given: Given, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    write(elsewhere, "home: ~/stocks\nsource: {path: '~/bars/*.csv'}")
    settings = load_settings()
    assert (settings.home, settings.source.path) == (tmp_path / "me/stocks", str(tmp_path / "me/bars/*.csv"))
    given(HOME="~", SETTINGS="~/no.yaml")
    assert settings_file() == tmp_path / "me/no.yaml"
    (tmp_path / "me").mkdir()
    (tmp_path / "me/no.yaml").touch()
    assert load_settings().home == tmp_path / "me"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("~nobody-at-all/x", "there is no such home directory"),
        ("", "it is empty; give a path"),
        (" ", "it is empty"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(given: Given, value: str, told: str) -> None:
    given(HOME=value)
    assert refusal().startswith(f"variable STOCK_PIPELINE_HOME: field home is {value!r}, but {told}")
    given(f"source: {{path: '{value}'}}", HOME="/x")
    assert refusal().startswith(f"file stock_pipeline.yaml: field source.path is {value!r}, but {told}")


@pytest.mark.parametrize("path", ["/srv/" + "x" * 256, "/srv/" + "x" * 4_000, "/srv" + "/xx" * 1_200, "/srv/" + "ä" * 128])
def test_a_path_that_no_file_system_can_hold_is_refused(given: Given, path: str) -> None:
    given(HOME=path)
    assert "field home is" in refusal() and "but it is too long; a path has at most 3,000 bytes" in refusal()
    given(f"source: {{path: '{path}'}}", HOME="/x")
    assert "field source.path is" in refusal() and "but it is too long" in refusal()
    given("", HOME="/srv/" + "x" * 255)
    assert load_settings().home.name == "x" * 255
    given(SETTINGS=path, HOME="/x")
    assert f"{FILE_VARIABLE} names" in refusal() and "is not a file" in refusal()


def test_a_path_with_a_control_character_is_refused(given: Given) -> None:
    given('home: "/srv/a\\0b"')
    assert "field home is" in refusal() and "it has a control character in it" in refusal()


@pytest.mark.parametrize("written", ["~", "{token: abc}", "5"])
def test_what_yaml_reads_as_no_text_is_no_path(given: Given, written: str) -> None:
    given(f"home: {written}")
    assert "but it should be a path, in quotes" in refusal() and "class" not in refusal()


def test_a_settings_file_of_nobody_is_refused(given: Given) -> None:
    given(SETTINGS="~nobody-at-all/x.yaml")
    assert refusal().startswith(f"{FILE_VARIABLE} names ~nobody-at-all/x.yaml, which is not a file")
