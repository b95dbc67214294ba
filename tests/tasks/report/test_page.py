import re

import pytest

from mixmatch.errors import WorkspaceError
from mixmatch.statistics import paired_loss
from tasks.report import write_report
from tasks.report.texts import points

HOSTILE = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>{{ 7 * 7 }}"


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
    assert page.text_content("#size-count") == "18 of 18 files fit."


@pytest.mark.browser
def test_a_run_without_rivals_speaks_of_none(page):
    assert page.locator("#rivals, #claim, #open-marks").count() == 0


@pytest.mark.browser
def test_a_family_without_results_still_has_a_page(opened, family, plan):
    family = family.model_copy(update={"results": (), "failed": {"a/b/0": "Out of memory."}})

    page = opened(family, plan, {})

    assert "Out of memory." in page.text_content("#failures")
    assert page.locator("#size-slider").count() == 0


def cells(page, row):
    """The texts of one row of a table, each without its small print first."""
    return page.eval_on_selector_all(f"{row} td", "x => x.map(y => y.innerText.split('\\n'))")


@pytest.mark.browser
def test_shows_int8_files_beside_their_float32_siblings(deployed_page, deployed):
    result = next(x for x in deployed.results if x.int8)
    member, int8 = result.member, result.int8
    loss = paired_loss(member.test, int8.test)

    row = cells(deployed_page, f"#results tr[data-key='{result.key}']")

    assert row[6] == [
        f"{member.artifact.size_bytes / 1e6:.2f} MB",
        f"{member.artifact.size_bytes:,}",
    ]
    assert row[7] == [f"{int8.artifact.size_bytes / 1e6:.2f} MB", f"{int8.artifact.size_bytes:,}"]
    assert row[8] == [f"{100 * int8.test.value:.2f} %"]
    assert row[9] == [points(loss.difference), f"{points(loss.low)} to {points(loss.high)}"]
    assert loss.low < loss.difference < loss.high
    without = next(x for x in deployed.results if not x.int8)
    assert cells(deployed_page, f"#results tr[data-key='{without.key}']")[7:10] == [["\u2013"]] * 3


@pytest.mark.browser
def test_marks_both_fronts_in_the_table(deployed_page, deployed):
    named = deployed_page.eval_on_selector_all(
        "#results tbody tr", "rows => rows.map(x => x.cells[11].innerText.split('\\n')[0])"
    )
    words = {(True, True): "sparsity, size", (True, False): "sparsity", (False, True): "size"}
    assert named == [words.get((x.on_front, x.on_size_front), "\u2013") for x in deployed.results]
    assert "sparsity, size" in named


@pytest.mark.browser
def test_a_run_without_int8_files_and_latencies_speaks_of_none(page):
    assert page.locator("#with-int8, #int8-marks, #int8-columns, #latency").count() == 0
    headings = page.eval_on_selector_all("#results th", "x => x.map(y => y.innerText)")
    assert headings[6:] == ["Size", "Version", "Front"]


@pytest.mark.browser
def test_shows_latencies_with_quartiles_ratio_and_host(deployed_page, deployed):
    tables = deployed_page.eval_on_selector_all("table.latency", "x => x.map(y => y.dataset.batch)")
    assert tables == ["1", "32"]
    rows = deployed_page.locator("table.latency[data-batch='32'] tbody tr")
    assert rows.count() == 1 + sum(x.int8 is not None for x in deployed.results)
    assert cells(deployed_page, "table.latency[data-batch='1'] tr:nth-child(1)") == [
        ["base"],
        ["\u2013"],
        ["12.3 1.00 \u00d7", "11.8 to 12.8"],
        ["9.80 0.80 \u00d7", "9.41 to 10.2"],
        ["4.10 0.33 \u00d7", "3.94 to 4.26"],
    ]
    assert "Example CPU @ 2.50GHz" in deployed_page.text_content("#latency-host")
    assert "Zeros alone make none" in deployed_page.text_content("#latency-verdict")


@pytest.mark.browser
def test_hostile_names_stay_text(opened, deployed, plan, versions, move_slider):
    spec = deployed.base.spec.model_copy(update={"classes": (HOSTILE,) * 10})
    base = deployed.base.model_copy(
        update={"spec": spec, "source": HOSTILE, "warnings": (HOSTILE,)}
    )
    first, *others = deployed.results
    first = first.model_copy(update={"strategy": HOSTILE, "also": (HOSTILE,), "key": HOSTILE})
    family = deployed.model_copy(
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
    assert page.text_content("#results tr:nth-child(1) td").startswith(HOSTILE)


def test_long_names_may_break_after_their_parts(deployed, plan, versions, tmp_path):
    write_report(deployed, plan, tmp_path / "report.html", versions=versions)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">percentile_<wbr>70</td>" in text
    assert ">percentile_<wbr>70/<wbr>magnitude/<wbr>0</td>" in text


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
