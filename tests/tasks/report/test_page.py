import re
import shutil

import pytest

from mixmatch.errors import WorkspaceError
from tasks.report import write_report

CHROMIUM_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HOSTILE = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>{{ 7 * 7 }}"


def best_under(results, limit):
    """The slider's rule, written another way: sort, do not reduce."""
    fitting = [x for x in results if x.member.artifact.size_bytes <= limit]
    return sorted(
        fitting, key=lambda x: (-x.member.validation.num_correct, x.member.artifact.size_bytes)
    )[0]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_SWITCHES
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Open reports that may neither log an error nor ask for anything but themselves."""
    pages, asked, troubles = [], [], []

    def open_report(family, plan, versions, **more):
        out = tmp_path_factory.mktemp("report") / "report.html"
        write_report(family, plan, out, versions=versions, **more)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda m: m.type in {"error", "warning"} and troubles.append(m.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(out.as_uri())
        page.wait_for_selector("#layers .main-svg")
        pages.append(page)
        return page

    yield open_report
    own = [page.url for page in pages]
    for page in pages:
        page.close()
    assert troubles == []
    assert [x for x in asked if not x.startswith(("data:", "blob:"))] == own


@pytest.fixture(scope="module")
def shared(opened, family, plan, versions):
    return opened(family, plan, versions, references={"MAG": 0.95})


@pytest.fixture
def page(shared):
    """The report of the usual family as it looks when it is opened; opened once, for speed."""
    shared.click("#axis-test")
    move_slider(shared, 10**9)
    return shared


def move_slider(page, limit):
    page.eval_on_selector(
        "#size-slider",
        "(slider, limit) => { slider.value = limit; slider.dispatchEvent(new Event('input')); }",
        str(limit),
    )


@pytest.mark.browser
def test_slider_picks_the_best_model_under_every_size(page, family):
    sizes = sorted(x.member.artifact.size_bytes for x in family.results)

    for limit in [*sizes, *(size - 1 for size in sizes[1:]), sizes[-1] + 1]:
        move_slider(page, limit)

        best = best_under(family.results, limit)
        name = f"{best.strategy}/{best.criterion}/{best.seed}"
        assert page.text_content("#chosen-name") == name
        assert page.get_attribute("#chosen", "data-key") == best.key
        size_bytes = best.member.artifact.size_bytes
        assert page.text_content("#chosen-bytes") == f"{size_bytes:,} bytes"


@pytest.mark.browser
def test_chosen_model_is_described_and_marked_in_chart_and_table(page, family, versions):
    chosen = min(family.results, key=lambda x: x.member.artifact.size_bytes)
    member = chosen.member

    move_slider(page, member.artifact.size_bytes)

    assert page.text_content("#chosen-sparsity") == f"{100 * member.sparsity:.2f} %"
    assert page.text_content("#chosen-test") == f"{100 * member.test.value:.2f} %"
    assert page.text_content("#chosen-validation") == f"{100 * member.validation.value:.2f} %"
    assert page.text_content("#chosen-version") == f"version {versions[chosen.key]}"
    assert page.text_content("#size-count") == "1 of 18 models fit."
    marked = page.eval_on_selector_all("tr.chosen", "rows => rows.map(row => row.dataset.key)")
    assert marked == [chosen.key]
    ring = page.evaluate("document.getElementById('trade-off').data.at(-1)")
    assert (ring["x"], ring["y"]) == ([member.sparsity], [member.test.value])


@pytest.mark.browser
def test_slider_can_be_moved_by_keyboard(page, family):
    page.focus("#size-slider")
    page.keyboard.press("Home")

    smallest = min(family.results, key=lambda x: x.member.artifact.size_bytes)
    assert page.get_attribute("#chosen", "data-key") == smallest.key


@pytest.mark.browser
def test_among_equally_accurate_models_the_smaller_is_chosen(opened, family, plan):
    first = family.results[0]
    artifact = first.member.artifact.model_copy(update={"size_bytes": 1000})
    smaller = first.model_copy(
        update={"key": "smaller", "member": first.member.model_copy(update={"artifact": artifact})}
    )
    family = family.model_copy(update={"results": (first, smaller)})

    page = opened(family, plan, {})

    assert page.get_attribute("#chosen", "data-key") == "smaller"
    assert page.text_content("#chosen-version") == "not registered"


@pytest.mark.browser
def test_axis_can_be_switched_to_validation(page, family):
    read = "document.getElementById('trade-off').data.filter(t => t.error_y).flatMap(t => t.y)"
    assert page.evaluate(read) == [x.member.test.value for x in family.results]

    page.click("#axis-validation")

    assert page.evaluate(read) == [x.member.validation.value for x in family.results]
    assert page.get_attribute("#axis-validation", "aria-pressed") == "true"
    assert page.get_attribute("#axis-test", "aria-pressed") == "false"


@pytest.mark.browser
def test_hovering_over_a_mark_names_its_strategy(page):
    page.hover("#trade-off .scatterlayer .trace:nth-child(2) .point:nth-child(1)", force=True)
    page.wait_for_selector("#trade-off .hoverlayer .hovertext")

    assert "conservative" in page.text_content("#trade-off .hoverlayer")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("heading", "number"), [("Sparsity", lambda x: x.member.sparsity), ("Strategy", None)]
)
def test_table_sorts_by_a_heading_both_ways(page, family, heading, number):
    value = number or (lambda x: x.strategy)
    order = "rows => rows.map(row => row.dataset.key)"
    by_key = {x.key: value(x) for x in family.results}

    page.get_by_role("button", name=heading).click()
    up = page.eval_on_selector_all("#results tbody tr", order)
    page.get_by_role("button", name=heading).click()
    down = page.eval_on_selector_all("#results tbody tr", order)

    assert [by_key[key] for key in up] == sorted(by_key.values())
    assert down == up[::-1]


@pytest.mark.browser
def test_shows_every_result_warning_and_failure(opened, family, plan, versions):
    base = family.base.model_copy(update={"warnings": ("It is near chance.",)})
    failed = {"aggressive/gradient/0": "The loss became NaN."}
    family = family.model_copy(update={"base": base, "failed": failed})

    page = opened(family, plan, versions)

    assert page.locator("#results tbody tr").count() == 18
    assert page.locator("tr.front").count() == sum(x.on_front for x in family.results)
    assert "It is near chance." in page.text_content("#warnings")
    assert "aggressive/gradient/0The loss became NaN." in page.text_content("#failures")
    assert "16 normalization layers are never pruned" in page.text_content("#normalization")


@pytest.mark.browser
def test_shows_rivals_beside_the_family_and_never_chooses_one(
    opened, family, rivals, plan, versions
):
    page = opened(family.model_copy(update={"rivals": rivals}), plan, versions)

    assert page.locator("#rivals tbody tr").count() == 10
    dense = page.eval_on_selector_all("#rivals tr:nth-child(1) td", "x => x.map(y => y.innerText)")
    assert dense[:4] == ["dense", "\u2013", "0", "0.00 %"]
    assert page.text_content("#claim") == (
        "A drop in a claim counts against the better of base and dense control by validation "
        "accuracy; here that is the dense control, mean over seeds, with 98.60 % on test."
    )
    assert "Open marks are rivals" in page.text_content("#open-marks")
    names = page.evaluate("document.getElementById('trade-off').data.map(trace => trace.name)")
    assert names[3:] == [
        *("MAG", "SNIP", "GraSP", "PROD", "LAMP", "uniform", "random"),
        "chosen",
    ]
    assert page.text_content("#size-count") == "18 of 18 models fit."


@pytest.mark.browser
def test_the_table_of_rivals_sorts_by_itself(opened, family, rivals, plan, versions):
    page = opened(family.model_copy(update={"rivals": rivals}), plan, versions)
    rows = "rows => rows.map(row => row.cells[0].innerText)"

    page.click("#rivals th:nth-child(5) button")

    assert page.eval_on_selector_all("#rivals tbody tr", rows)[-1] == "dense"
    assert page.eval_on_selector_all("#rivals tbody tr", rows)[0] == "random"
    first = page.eval_on_selector_all("#results tbody tr", "rows => rows[0].dataset.key")
    assert first == family.results[0].key


@pytest.mark.browser
def test_a_run_without_rivals_speaks_of_none(page):
    assert page.locator("#rivals, #claim, #open-marks").count() == 0


@pytest.mark.browser
def test_a_family_without_results_still_has_a_page(opened, family, plan):
    family = family.model_copy(update={"results": (), "failed": {"a/b/0": "Out of memory."}})

    page = opened(family, plan, {})

    assert "Out of memory." in page.text_content("#failures")
    assert page.locator("#size-slider").count() == 0


@pytest.mark.browser
def test_hostile_names_stay_text(opened, family, plan, versions):
    spec = family.base.spec.model_copy(update={"classes": (HOSTILE,) * 10})
    base = family.base.model_copy(update={"spec": spec, "source": HOSTILE, "warnings": (HOSTILE,)})
    first, *others = family.results
    first = first.model_copy(update={"strategy": HOSTILE, "also": (HOSTILE,), "key": HOSTILE})
    family = family.model_copy(
        update={
            "name": HOSTILE,
            "base": base,
            "results": (first, *others),
            "failed": {HOSTILE: HOSTILE},
        }
    )
    plan = plan.model_copy(update={"normalization_layers": (HOSTILE,)})

    page = opened(family, plan, versions, references={HOSTILE: 0.9})
    move_slider(page, 10**9)

    assert page.evaluate("window.hit === undefined")
    assert page.text_content("#run-name") == HOSTILE
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.browser
def test_follows_the_readers_theme(page, tmp_path):
    background = "getComputedStyle(document.body).backgroundColor"
    ring = "document.getElementById('trade-off').data.at(-1).marker.color"
    seen = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
        seen.append((page.evaluate(background), page.evaluate(ring)))

    assert seen == [("rgb(17, 20, 26)", "#ffffff"), ("rgb(245, 246, 248)", "#111827")]


@pytest.mark.browser
def test_fits_a_telephone_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 390, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.wait_for_selector("#trade-off .main-svg[width='300']")  # Plotly follows with some delay
    page.set_viewport_size({"width": 1280, "height": 900})

    assert width == 390


@pytest.mark.browser
def test_offers_no_button_that_sends_the_chart_away(page):
    read = "buttons => buttons.map(x => x.dataset.title || x.getAttribute('aria-label'))"
    titles = page.eval_on_selector_all(".modebar-btn", read)

    assert titles == ["Download plot as a PNG", "Zoom", "Pan", "Reset axes"]


def test_forbids_itself_every_outside_resource(family, plan, versions, tmp_path):
    write_report(family, plan, tmp_path / "report.html", versions=versions)

    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "content=\"default-src 'none'; script-src 'unsafe-inline';" in text
    assert not re.search(r"<(script|link|img|iframe)[^>]*\s(src|href)=", text[:20_000])


def test_does_not_claim_equal_fine_tuning_which_it_cannot_know(
    family, rivals, plan, versions, tmp_path
):
    family = family.model_copy(update={"rivals": rivals})
    write_report(family, plan, tmp_path / "report.html", versions=versions)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Every rival has the family's base, data and seeds." in text
    assert "equal conditions" not in text


def test_the_same_family_gives_the_same_bytes(family, plan, versions, tmp_path):
    for name in ("first.html", "second.html"):
        write_report(family, plan, tmp_path / "new" / name, versions=versions)

    written = [file.read_bytes() for file in (tmp_path / "new").iterdir()]
    assert len(written) == 2
    assert written[0] == written[1]


def test_says_when_the_report_cannot_be_written(family, plan, versions, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(WorkspaceError, match=r"report .*/file/report.html must be a file that can"):
        write_report(family, plan, tmp_path / "file" / "report.html", versions=versions)
