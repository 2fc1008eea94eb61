"""The report's data against its schema, and its page in a browser: it loads nothing, complains of nothing, and works."""

import json
import os
import pathlib
import subprocess
import time

import jsonschema
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

import fewbits

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ.get("FEWBITS_CLI", str(ROOT / "build/release/fewbits"))
SHOTS = os.environ.get("FEWBITS_SCREENSHOTS")  # where pictures of the views go, for people to look at: docs/images
REPORT = os.environ.get("FEWBITS_REPORT")  # the page that they are of, if not the tests' own: docs/report.md says which one
MOST_BYTES = 15_000_000
SCHEMA = json.loads((ROOT / "docs/report.schema.json").read_text())


@pytest.fixture(scope="module")
def page(tmp_path_factory, classifier, pictures):
    """The classifier in int8 with an operator left in float, on photographs."""
    if REPORT:
        return pathlib.Path(REPORT).resolve()
    folder = tmp_path_factory.mktemp("report")
    small, out, data = str(folder / "int8.tflite"), folder / "report.html", str(folder / "pictures.npy")
    np.save(data, pictures[0][:30])
    subprocess.run(
        [CLI, "quantize", classifier, "-o", small, "--mode", "int8", "--calibrate", data, "--exclude", "conv2d_7*", "--quiet"],
        check=True,
    )
    subprocess.run([CLI, "report", classifier, small, "-o", str(out), "--data", data, "--runs", "5", "--quiet"], check=True)
    return out


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1400,1000",
        "--force-prefers-color-scheme=light",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture()
def opened(browser, page):
    browser.get(page.as_uri())
    return browser


def shoot(browser, name, element=None):
    if SHOTS:
        pathlib.Path(SHOTS).mkdir(parents=True, exist_ok=True)
        (element or browser).screenshot(f"{SHOTS}/{name}.png") if element else browser.save_screenshot(f"{SHOTS}/{name}.png")


def texts(browser, selector):
    return [element.text for element in browser.find_elements(By.CSS_SELECTOR, selector)]


def test_the_data_keeps_to_the_schema(page, classifier, pictures):
    jsonschema.validate(json.loads(page.with_suffix(".json").read_text()), SCHEMA)
    small = fewbits.quantize(classifier, "int8", pictures[0][:8])
    for document in (
        fewbits.Report(classifier, small, pictures[0][:8], runs=2),
        fewbits.Report(classifier),
        fewbits.Report(classifier, classifier, pictures[0][:2], runs=0),
    ):
        jsonschema.validate(document.to_dict(), SCHEMA)


def test_it_agrees_with_compare(classifier, pictures):
    images = pictures[0][:8]
    small = fewbits.quantize(classifier, "int8", images)
    document = fewbits.Report(classifier, small, images, runs=0).to_dict()
    comparison = fewbits.compare(classifier, small, images, layers=True)
    assert document["outputs"][0]["sqnr_db"] == pytest.approx(comparison.outputs[0].error.sqnr_db, rel=1e-4)
    layers = {layer.other_name: layer.error.sqnr_db for layer in comparison.layers}
    told = {op["output"]: op["error"]["sqnr_db"] for op in document["operators"] if op["error"]}
    assert told.keys() >= layers.keys()  # and the integers behind a float output have its error
    assert all(
        error == pytest.approx(layers.get(name, layers.get(name.removesuffix("_int8"))), rel=1e-4) for name, error in told.items()
    )
    # A histogram against numpy's count of what the tensor holds.
    interpreter = fewbits.lite.Interpreter(classifier, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    first = document["operators"][1]
    index = next(d["index"] for d in interpreter.get_tensor_details() if d["name"] == first["output"].removesuffix("_int8"))
    values = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        values.append(interpreter.get_tensor(index))
    values = np.stack(values)
    low, high = first["activation"]["range"]
    assert first["activation"]["elements"] == values.size
    assert first["activation"]["clipped"] == pytest.approx(np.sum((values < low) | (values > high)), abs=3)
    histogram = first["activation"]["histogram"]
    assert histogram["min"] == pytest.approx(values.min(), rel=1e-4) and histogram["max"] == pytest.approx(values.max(), rel=1e-4)


def test_it_opens_alone_and_quietly(opened, page):
    assert page.stat().st_size < MOST_BYTES
    assert [entry for entry in opened.get_log("browser")] == []
    requests = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    loaded = [r["params"]["request"]["url"] for r in requests if r["method"] == "Network.requestWillBeSent"]
    assert [url for url in loaded if not url.startswith(("file:", "data:"))] == []
    took = opened.execute_script("const t = performance.getEntriesByType('navigation')[0]; return t.domComplete - t.startTime")
    print(f"opened in {took:.0f} ms, {page.stat().st_size / 1e6:.1f} MB")
    shoot(opened, "report_verdict")


def test_every_view_is_there(opened):
    assert texts(opened, "section > h2") == [
        "Verdict",
        "What to try next",
        "Error by layer",
        "Graph",
        "Time by operator",
        "Size by operator",
        "Worst samples",
        "Operators",
    ]
    data = json.loads(opened.execute_script("return document.getElementById('data').textContent"))
    assert data["verdict"] in opened.find_element(By.ID, "verdict").text
    assert len(opened.find_elements(By.CSS_SELECTOR, ".node")) == len(data["operators"])
    assert len(opened.find_elements(By.CSS_SELECTOR, ".sample img")) == 8
    for name in ("layers", "graph", "time", "size", "samples", "operators"):
        section = opened.find_element(By.ID, name)
        opened.execute_script("arguments[0].scrollIntoView()", section)
        assert section.size["height"] > 150
        shoot(opened, f"report_{name}", section)


def test_the_table_sorts_and_filters(opened):
    def column(title):
        heads = texts(opened, "#operators th")
        return texts(opened, f"#operators tbody td:nth-child({heads.index(title) + 1})")

    sort = next(b for b in opened.find_elements(By.CSS_SELECTOR, "#operators th button") if b.text == "SQNR")
    sort.click()
    values = [float(v.split()[0]) for v in column("SQNR") if v.endswith("dB")]
    assert values == sorted(values) and len(values) > 20
    sort.click()
    values = [float(v.split()[0]) for v in column("SQNR") if v.endswith("dB")]
    assert values == sorted(values, reverse=True)
    opened.find_element(By.ID, "table-filter").send_keys("depthwise")
    assert set(column("operator")) == {"DEPTHWISE_CONV_2D"}
    opened.find_element(By.ID, "table-filter").clear()
    opened.execute_script("document.getElementById('table-filter').dispatchEvent(new Event('input'))")
    Select(opened.find_element(By.ID, "table-precision")).select_by_value("float32")
    assert set(column("precision")) == {"float32"} and all("excluded" in reason for reason in column("why in float"))


def test_the_graph_is_searched_coloured_and_moved(opened):
    graph = opened.find_element(By.ID, "graph")
    opened.execute_script("arguments[0].scrollIntoView()", graph)
    view = opened.find_element(By.ID, "graph-view")
    search = opened.find_element(By.ID, "graph-search")
    operators = json.loads(opened.execute_script("return document.getElementById('data').textContent"))["operators"]
    texts_of = [f"{op['type']}\n{op['output']}".lower() for op in operators]
    alone = next(op["type"] for op in reversed(operators) if sum(op["type"].lower() in text for text in texts_of) == 1)
    search.send_keys(alone.lower())
    assert opened.find_element(By.ID, "graph-found").text == "1 found"
    assert len(opened.find_elements(By.CSS_SELECTOR, ".node:not(.dim)")) == 1
    found = opened.find_element(By.CSS_SELECTOR, ".node:not(.dim)")
    found.click()
    detail = opened.find_element(By.ID, "detail").text
    assert alone in detail
    search.clear()
    opened.execute_script("document.getElementById('graph-search').dispatchEvent(new Event('input'))")
    colours = lambda: {n.value_of_css_property("fill") for n in opened.find_elements(By.CSS_SELECTOR, ".node rect")}  # noqa: E731
    by_precision = colours()
    Select(opened.find_element(By.ID, "graph-colour")).select_by_value("error")
    by_error = colours()
    assert 2 <= len(by_precision) < len(by_error)
    shoot(opened, "report_graph_error", graph)
    before = view.get_dom_attribute("viewBox")
    webdriver.ActionChains(opened).move_to_element(view).click_and_hold().move_by_offset(60, 80).release().perform()
    moved = view.get_dom_attribute("viewBox")
    assert moved != before and moved.split()[2:] == before.split()[2:]
    opened.execute_script(
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -100, clientX: 400, clientY: 500, cancelable: true}))", view
    )
    assert float(view.get_dom_attribute("viewBox").split()[2]) < float(moved.split()[2])
    opened.find_element(By.ID, "graph-fit").click()
    shoot(opened, "report_graph_whole", graph)


def test_a_point_of_the_plot_leads_to_its_operator(opened):
    opened.execute_script("document.getElementById('layers').scrollIntoView()")
    point = opened.find_elements(By.CSS_SELECTOR, ".plot circle")[1]
    webdriver.ActionChains(opened).move_to_element(point).perform()
    tip = opened.find_element(By.ID, "tip")
    assert tip.is_displayed() and "dB" in tip.text
    opened.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", point)
    place = point.get_attribute("data-place")
    chosen = opened.find_elements(By.CSS_SELECTOR, ".node.chosen, tr.chosen")
    assert [element.get_attribute("data-place") for element in chosen] == [place, place]
    assert len(opened.find_elements(By.CSS_SELECTOR, "#detail .histogram")) == 2
    opened.execute_script("document.getElementById('graph').scrollIntoView()")
    shoot(opened, "report_detail", opened.find_element(By.ID, "detail"))


def test_sizes_are_those_of_the_models(opened, classifier):
    if REPORT:
        pytest.skip("of another model")
    data = json.loads(opened.execute_script("return document.getElementById('data').textContent"))
    operators = fewbits.load(classifier).describe().subgraphs[0].operators
    wanted = {op.index: op.constant_bytes for op in operators if op.constant_bytes}
    assert {size["operator"]: size["bytes"] for size in data["reference_sizes"]} == wanted
    assert sum(wanted.values()) <= data["reference"]["constant_bytes"] < data["reference"]["bytes"]
    shown = texts(opened, "#size svg text")
    for type in {op.type for op in operators if op.constant_bytes}:
        before = sum(op.constant_bytes for op in operators if op.type == type)
        after = sum(op["constant_bytes"] for op in data["operators"] if op["type"] == type)
        bars = shown[shown.index(type) + 1 : shown.index(type) + 3]
        for text, value in zip(bars, (before, after)):
            number, unit = text.split()
            assert float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit] == pytest.approx(value, rel=0.01, abs=60)


def test_it_prints(opened):
    """In light, with the colours, the table's heads and its last column, and on the screen as before."""
    page = lambda: opened.execute_script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    opened.find_element(By.ID, "theme").click()
    dark = page()
    opened.execute_script("dispatchEvent(new Event('beforeprint'))")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page() == "rgb(255, 255, 255)"
        assert all(texts(opened, "#operators th")) and not opened.find_element(By.ID, "table-filter").is_displayed()
        swatch = opened.find_element(By.CSS_SELECTOR, "#verdict .legend i")
        assert swatch.value_of_css_property("print-color-adjust") == "exact"
        assert opened.find_element(By.CSS_SELECTOR, "#detail .histogram").size["width"] < 400
        rows = opened.find_element(By.CSS_SELECTOR, "#operators .rows")
        assert rows.value_of_css_property("max-height") == "none"
        opened.set_window_size(760, 1000)  # A4's width
        assert opened.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth + 1", rows)
    finally:
        opened.set_window_size(1400, 1000)
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    opened.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page() == dark
    opened.find_element(By.ID, "theme").click()


def test_light_and_dark(opened):
    page = lambda: opened.execute_script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    light = page()
    opened.find_element(By.ID, "theme").click()
    assert page() != light
    shoot(opened, "report_dark")


def test_names_that_look_like_markup_stay_text(browser, classifier, tmp_path):
    document = fewbits.Report(classifier, runs=1)
    html = document.html().replace("CONV_2D", "\\u003cimg src=x onerror=alert(1)\\u003e")
    (tmp_path / "odd.html").write_text(html)
    browser.get((tmp_path / "odd.html").as_uri())
    assert not browser.find_elements(By.CSS_SELECTOR, "img")
    assert browser.get_log("browser") == []


def test_a_thousand_layers_are_quick(browser, tmp_path, classifier):
    """A page of a model with many operators, made by repeating what a real report holds."""
    document = fewbits.Report(classifier, runs=1).to_dict()
    base, many = document["operators"], []
    for copy in range(1000 // len(base) + 1):
        many += [{**op, "y": op["y"] + copy * 64 * len(base)} for op in base]
    document["operators"] = many
    document["edges"] = [{"from": i, "to": i + 1, "points": []} for i in range(len(many) - 1)]
    page = fewbits.Report(classifier, runs=1).html()
    start = page.index('id="data">') + len('id="data">')
    end = page.index("</script>", start)
    (tmp_path / "many.html").write_text(page[:start] + json.dumps(document).replace("<", "\\u003c") + page[end:])
    began = time.perf_counter()
    browser.get((tmp_path / "many.html").as_uri())
    print(f"1000 operators: {time.perf_counter() - began:.2f} s")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".node")) == len(many) and browser.get_log("browser") == []


def test_the_command_lines_other_ways_in(classifier, pictures, tmp_path):
    np.save(tmp_path / "data.npy", pictures[0][:4])
    flags = ["--mode", "int8", "--calibrate", str(tmp_path / "data.npy"), "--report", str(tmp_path / "page.html"), "--quiet"]
    subprocess.run([CLI, "quantize", classifier, "-o", str(tmp_path / "small.tflite"), *flags], check=True)
    document = json.loads((tmp_path / "page.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["samples"] == 4 and (tmp_path / "page.html").stat().st_size > 50_000
    out = subprocess.run(
        [CLI, "inspect", classifier, "--html", str(tmp_path / "one.html"), "--json"], check=True, capture_output=True
    )
    assert json.loads(out.stdout)["output"] == str(tmp_path / "one.html")
    refused = subprocess.run(
        [CLI, "quantize", classifier, "-o", str(tmp_path / "x.tflite"), "--mode", "weights", "--report", "x.html"],
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0 and "--calibrate" in refused.stderr
