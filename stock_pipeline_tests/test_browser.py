"""The web UI as a person sees it, in headless Chromium: the graph with every group, a chart, and an asset launched by hand."""

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from stock_pipeline_tests.harness.dagster_services import Dagster, until, web_ui_and_daemon, workplace_that_has_run
from stock_pipeline_tests.harness.default_stages import KEYS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without these Chromium looks for its maker's servers at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGE_MILLISECONDS = 60_000
RUN_SECONDS = 180
GROUPS = list(dict.fromkeys(key[0] for key in KEYS))
LATEST_RUN = "{ runsOrError(limit: 1) { ... on Runs { results { runId status assetSelection { path } } } } }"


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    if not any(map(shutil.which, NAMES)):
        pytest.skip(f"there is no Chromium here (none of {', '.join(NAMES)}); on Debian: apt-get install chromium")
    workplace = workplace_that_has_run(tmp_path_factory.getbasetemp()).copy_to(tmp_path_factory.mktemp("browser") / "workplace")
    with web_ui_and_daemon(workplace) as running:
        yield running


@pytest.fixture(scope="module")
def page(dagster: Dagster, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Page]":
    from playwright.sync_api import sync_playwright

    executable = next(path for path in map(shutil.which, NAMES) if path)
    with sync_playwright() as playwright:
        profile = tmp_path_factory.mktemp("chromium")
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, args=ARGUMENTS, viewport={"width": 1600, "height": 1000}, base_url=dagster.url
        )
        opened = context.new_page()
        opened.set_default_timeout(PAGE_MILLISECONDS)
        yield opened
        context.close()


def latest_run(dagster: Dagster) -> dict[str, Any]:
    """The run that was launched last; empty where none has been, as the command line launches none."""
    runs: list[dict[str, Any]] = dagster.ask(LATEST_RUN)["runsOrError"]["results"]
    return runs[0] if runs else {}


@pytest.mark.parametrize("group", GROUPS)
def test_the_graph_has_every_group(page: "Page", group: str) -> None:
    if not page.url.endswith("/asset-groups"):
        page.goto("/asset-groups")
    # The graph is a drawing in which boxes of text are foreign objects; the list at the side, which has the names too, is not.
    box = page.locator("foreignObject").get_by_text(group, exact=True).first
    box.wait_for(state="attached")
    assert box.inner_text() == group


@pytest.mark.parametrize("asset", ["market_data/daily_bars", "features/daily_features", "backtest/daily_returns", "drift/feature_drift"])
def test_an_asset_shows_its_picture_after_one_click(page: "Page", asset: str) -> None:
    page.goto(f"/assets/{asset}?view=events")
    page.get_by_text("Show markdown").first.click()
    chart = page.locator("img[src^='data:image/png;base64,']").first
    chart.wait_for()
    assert chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400


def test_an_asset_launched_by_hand_succeeds(page: "Page", dagster: Dagster) -> None:
    before = latest_run(dagster).get("runId")
    page.goto("/assets/portfolio/suggested_stocks")
    page.get_by_role("button", name="Materialize").first.click()
    until(lambda: latest_run(dagster).get("runId") != before, RUN_SECONDS, "the run to be launched")
    launched = latest_run(dagster)
    assert [key["path"] for key in launched["assetSelection"]] == [["portfolio", "suggested_stocks"]]
    page.goto(f"/runs/{launched['runId']}")
    page.get_by_text("Success", exact=True).first.wait_for(timeout=RUN_SECONDS * 1000)
    assert latest_run(dagster)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/graphql?query=mutation{wipeAssets(assetPartitionRanges:[]){__typename}}", {}),
        ("/", {"Host": "evil.example"}),
        ("/graphql", {"Origin": "https://evil.example"}),
    ],
    ids=["mutation by an image", "rebound name", "script of another site"],
)
def test_what_another_web_page_could_send_is_refused(dagster: Dagster, path: str, headers: dict[str, str]) -> None:
    body = json.dumps({"query": "{ version }"}).encode() if "Origin" in headers else None
    assert dagster.status(path, body, headers) == 403


def test_a_picture_on_another_page_changes_nothing(dagster: Dagster, page: "Page") -> None:
    """The browser itself shows a page of another origin, with a mutation in the place of a picture."""
    mutation = "mutation{deletePipelineRun(runId:%22none%22){__typename}}"
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if "mutation" in answer.url else None)
    page.set_content(f'<img src="{dagster.url}/graphql?query={mutation}">')
    page.wait_for_function("document.images[0].complete")
    assert statuses == [403]
