import pytest


def best_under(results, limit):
    """The slider's rule, written another way: sort, do not reduce."""
    fitting = [x for x in results if x.member.artifact.size_bytes <= limit]
    return sorted(
        fitting, key=lambda x: (-x.member.validation.num_correct, x.member.artifact.size_bytes)
    )[0]


@pytest.mark.browser
def test_slider_picks_the_best_model_under_every_size(page, family, move_slider):
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
def test_chosen_model_is_described_and_marked_in_chart_and_table(
    page, family, versions, move_slider
):
    chosen = min(family.results, key=lambda x: x.member.artifact.size_bytes)
    member = chosen.member

    move_slider(page, member.artifact.size_bytes)

    assert page.text_content("#chosen-sparsity") == f"{100 * member.sparsity:.2f} %"
    assert page.text_content("#chosen-test") == f"{100 * member.test.value:.2f} %"
    assert page.text_content("#chosen-validation") == f"{100 * member.validation.value:.2f} %"
    assert page.text_content("#chosen-version") == f"version {versions[chosen.key]}"
    assert page.text_content("#chosen-values") == "float32"
    assert page.text_content("#size-count") == "1 of 18 files fit."
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
def test_accuracy_can_be_switched_to_validation(page, family):
    read = "document.getElementById('trade-off').data.filter(t => t.error_y).flatMap(t => t.y)"
    assert page.evaluate(read) == [x.member.test.value for x in family.results]

    page.click("#split-validation")

    assert page.evaluate(read) == [x.member.validation.value for x in family.results]
    assert page.get_attribute("#split-validation", "aria-pressed") == "true"
    assert page.get_attribute("#split-test", "aria-pressed") == "false"


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

    page.locator("#results").get_by_role("button", name=heading).click()
    up = page.eval_on_selector_all("#results tbody tr", order)
    page.locator("#results").get_by_role("button", name=heading).click()
    down = page.eval_on_selector_all("#results tbody tr", order)

    assert [by_key[key] for key in up] == sorted(by_key.values())
    assert down == up[::-1]


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


PLACES = "document.getElementById('trade-off').data.filter(t => t.meta?.part === 'series')"


@pytest.mark.browser
def test_axis_can_be_switched_to_file_size_and_keeps_the_accuracy_shown(page, family):
    page.click("#split-validation")
    page.focus("#axis-size")
    page.keyboard.press("Enter")

    drawn = page.evaluate(f"{PLACES}.flatMap(t => t.x.map((x, n) => [x, t.y[n]]))")
    assert drawn == [
        [x.member.artifact.size_bytes / 1e6, x.member.validation.value] for x in family.results
    ]
    assert page.text_content(".heading h2") == "Accuracy against file size"
    pressed = page.eval_on_selector_all(
        "[aria-pressed=true]", "buttons => buttons.map(x => x.innerText)"
    )
    assert pressed == ["File size", "Validation"]
    assert page.evaluate("document.getElementById('trade-off').layout.xaxis.type") == "log"


@pytest.mark.browser
def test_the_ring_follows_the_chosen_file_on_both_axes(page, family, move_slider):
    chosen = min(family.results, key=lambda x: x.member.artifact.size_bytes).member
    move_slider(page, chosen.artifact.size_bytes)
    ring = "(({x, y}) => [...x, ...y])(document.getElementById('trade-off').data.at(-1))"

    assert page.evaluate(ring) == [chosen.sparsity, chosen.test.value]
    page.click("#axis-size")
    assert page.evaluate(ring) == [chosen.artifact.size_bytes / 1e6, chosen.test.value]


def files_of(family):
    """Key, kind of values and record of every file."""
    for result in family.results:
        yield result.key, "float32", result.member
        if result.int8:
            yield result.key, "int8", result.int8


@pytest.mark.browser
def test_slider_picks_among_float32_and_int8_files_by_bytes_on_disk(
    deployed_page, deployed, move_slider
):
    files = list(files_of(deployed))
    sizes = sorted(file.artifact.size_bytes for *_, file in files)
    ends = deployed_page.eval_on_selector("#size-slider", "x => [Number(x.min), Number(x.max)]")
    assert ends == [sizes[0], sizes[-1]]

    for limit in [*sizes, *(size - 1 for size in sizes[1:])]:
        move_slider(deployed_page, limit)

        fitting = [x for x in files if x[2].artifact.size_bytes <= limit]
        best = max(fitting, key=lambda x: (x[2].validation.value, -x[2].artifact.size_bytes))
        shown = deployed_page.eval_on_selector("#chosen", "x => [x.dataset.key, x.dataset.values]")
        assert shown == [best[0], best[1]]
        size_bytes = best[2].artifact.size_bytes
        assert deployed_page.text_content("#chosen-bytes") == f"{size_bytes:,} bytes"


@pytest.mark.browser
def test_an_int8_file_is_ringed_itself_over_size_and_by_its_sibling_over_sparsity(
    deployed_page, deployed, versions, move_slider
):
    key, _, int8 = min(files_of(deployed), key=lambda x: x[2].artifact.size_bytes)
    sibling = next(x.member for x in deployed.results if x.key == key)
    move_slider(deployed_page, int8.artifact.size_bytes)
    ring = "(({x, y}) => [...x, ...y])(document.getElementById('trade-off').data.at(-1))"

    assert deployed_page.text_content("#chosen-values") == "int8, a scale per channel"
    assert deployed_page.text_content("#chosen-test") == f"{100 * int8.test.value:.2f} %"
    assert deployed_page.text_content("#chosen-version") == f"version {versions[key]} in float32"
    marked = "rows => rows.map(row => row.dataset.key)"
    assert deployed_page.eval_on_selector_all("tr.chosen", marked) == [key]
    assert deployed_page.evaluate(ring) == [sibling.sparsity, sibling.test.value]
    deployed_page.click("#axis-size")
    assert deployed_page.evaluate(ring) == [int8.artifact.size_bytes / 1e6, int8.test.value]


@pytest.mark.browser
def test_int8_files_can_be_left_out_by_keyboard_and_the_slider_stays_in_range(
    deployed_page, deployed, move_slider
):
    move_slider(deployed_page, 0)
    deployed_page.focus("#with-int8")
    deployed_page.keyboard.press("Space")

    smallest = min(deployed.results, key=lambda x: x.member.artifact.size_bytes)
    size_bytes = smallest.member.artifact.size_bytes
    assert deployed_page.get_attribute("#chosen", "data-key") == smallest.key
    assert deployed_page.get_attribute("#chosen", "data-values") == "float32"
    assert deployed_page.text_content("#size-count") == "1 of 18 files fit."
    assert deployed_page.text_content("#size-least") == f"{size_bytes / 1e6:.2f} MB"
    assert float(deployed_page.input_value("#size-slider")) == size_bytes


@pytest.mark.browser
def test_every_table_of_latencies_sorts_by_itself(deployed_page):
    rows = "rows => rows.map(row => row.cells[2].dataset.value)"
    before = deployed_page.eval_on_selector_all("[data-batch='32'] tbody tr", rows)

    deployed_page.click("[data-batch='1'] th:nth-child(3) button")

    medians = deployed_page.eval_on_selector_all("[data-batch='1'] tbody tr", rows)
    assert medians == sorted(medians, key=float)
    assert deployed_page.eval_on_selector_all("[data-batch='32'] tbody tr", rows) == before


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_whole_report_fits_a_telephone_in_both_themes(deployed_page, scheme):
    deployed_page.emulate_media(color_scheme=scheme)
    deployed_page.click("#axis-size")
    deployed_page.set_viewport_size({"width": 400, "height": 800})
    deployed_page.wait_for_selector("#trade-off .main-svg[width='310']")

    width = deployed_page.evaluate("document.documentElement.scrollWidth")
    height = deployed_page.eval_on_selector("#layers", "x => x.getBoundingClientRect().height")
    deployed_page.set_viewport_size({"width": 1280, "height": 900})
    deployed_page.emulate_media(color_scheme=None)
    assert width == 400
    assert height == 20 * 24 + 130


@pytest.mark.browser
def test_what_scrolls_sideways_can_be_reached_by_keyboard(deployed_page):
    scrolled = deployed_page.eval_on_selector_all(
        ".scroll", "places => places.map(x => [x.tabIndex, Boolean(x.ariaLabel)])"
    )
    assert scrolled == [[0, True]] * 4
