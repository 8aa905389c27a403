"""Models that the user opens, and the change from one model to the next."""

import json
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.sidecar import SIDECAR
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from edge_runtime.support.files import file_sha256
from edge_runtime.tflite.metadata import attach, describe
from tests.conftest import GOLDEN, ROOT
from tests.edge_runtime.inference.model_files import CARD, archive
from tests.web.conftest import bring, scores, use, visit

PHOTOGRAPH = ROOT / "examples" / "chelsea.png"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("int8", "has an input or output of int8, but LiteRT in the browser only supports float32"),
        ("no_image", "is not an image classifier: expected one input [1, height, width, 3]"),
        ("image_to_image", "is not an image classifier"),
        ("two_inputs", "is not an image classifier"),
        ("truncated", "is not a valid .tflite model"),
        ("text", "is not a valid .tflite model"),
        ("damaged zip", "are damaged (expected stored or deflated zip entries)"),
    ],
)
def test_models_that_cannot_be_used(page, name, says):
    good = shipped.models()["cnn-int8"].read_bytes()
    made = {
        "truncated": good[:2000],
        "text": b"no model at all",
        "damaged zip": good.replace(b"PK\1\2", b"PK\1\3"),
    }
    data = made[name] if name in made else (GOLDEN / f"{name}.tflite").read_bytes()
    model = {"name": "mine.tflite", "mimeType": "", "buffer": data}
    page.set_input_files("#files", model)
    page.wait_for_selector("#alert:visible")
    assert page.inner_text("#alert").startswith(("mine.tflite", "The files attached to mine"))
    assert says in page.inner_text("#alert")
    assert "cnn-int8" in page.inner_text("#facts")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())  # the previous model still classifies
    assert page.inner_text("#best .label") == "cat"


@pytest.mark.parametrize("name", ["uint8", "float32", "unlabelled", "logits"])
def test_an_opened_model_gives_the_runtimes_scores(page, name):
    path = GOLDEN / f"{name}.tflite"
    page.select_option("#top-k", "0")
    page.set_input_files("#files", path)
    page.wait_for_selector(f"#facts:has-text('{name}.tflite')")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    with Classifier(path) as classifier:
        expected = dict(zip(classifier.labels, classifier.scores(PHOTOGRAPH), strict=True))
    assert scores(page) == pytest.approx(expected, abs=2 / 256 if name == "uint8" else 1e-5)
    use(page, network="cnn")
    use(page, precision="int8")


def test_a_taught_model_gives_the_runtimes_scores(page, taught):
    image = taught.parent / "drawn" / "disc" / "000.png"
    page.select_option("#top-k", "0")
    page.set_input_files("#files", taught)
    page.wait_for_selector(f"#facts:has-text('{taught.name}')")
    bring(page, "figure.png", image.read_bytes())
    with Classifier(taught) as classifier:
        expected = dict(zip(classifier.labels, classifier.scores(image), strict=True))
    assert scores(page) == pytest.approx(expected, abs=8 / 256)
    use(page, network="cnn")
    use(page, precision="int8")


@pytest.mark.parametrize("name", ["unlabelled", "uint8"])
def test_normalization_comes_from_the_card(page, tmp_path, name):
    """Each channel has its own mean and deviation; LiteRT's own interpreter gives the scores."""
    mean, std = [120.5, 110.0, 100.0], [64.0, 63.0, 62.5]
    graph = (GOLDEN / f"{name}.tflite").read_bytes()
    graph = graph[: max(graph.find(b"PK\3\4"), 0) or None]
    interpreter = Interpreter(model_content=graph)
    interpreter.allocate_tensors()
    [image], [output] = interpreter.get_input_details(), interpreter.get_output_details()
    _, height, width, _ = image["shape"]
    real = (fit(decode(PHOTOGRAPH), height, width) - np.array(mean)) / std
    classes = output["shape"][1]
    if name == "uint8":
        step, zero = image["quantization"]
        real = np.clip(np.rint(real / step) + zero, 0, 255)
    interpreter.set_tensor(image["index"], real[np.newaxis].astype(image["dtype"]))
    interpreter.invoke()
    expected = interpreter.get_tensor(output["index"])[0].astype(float)
    if name == "uint8":
        step, zero = output["quantization"]
        expected = step * (expected - zero)

    card = {"preprocessing": {"fit": "crop", "resize": "bicubic", "mean": mean, "std": std}}
    labels = "".join(f"class {i}\n" for i in range(classes))
    files = {"labels.txt": labels.encode(), "model-card.json": json.dumps(card).encode()}
    path = tmp_path / "carded.tflite"
    path.write_bytes(attach(graph, files))
    page.select_option("#top-k", "0")
    page.set_input_files("#files", path)
    page.wait_for_selector("#facts:has-text('carded.tflite')")
    assert "(120.5, 110, 100)) / (64, 63, 62.5)" in page.inner_text("#facts")
    assert "model card" in page.inner_text("#facts")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    wanted = {f"class {i}": score for i, score in enumerate(expected)}
    assert scores(page) == pytest.approx(wanted, abs=2 / 256 if name == "uint8" else 1e-5)
    use(page, network="cnn")
    use(page, precision="int8")


def test_standard_metadata_is_read(page, tmp_path):
    """Models of other programs have no card, and their file of labels may have any name."""
    graph = (GOLDEN / "float32.tflite").read_bytes()
    graph = graph[: graph.find(b"PK\3\4")]
    card = {
        "classes": ["red", "green", "blue"],
        "preprocessing": {"fit": "crop", "resize": "bicubic", "mean": [127.5], "std": [127.5]},
    }
    described = describe(graph, CARD | card)
    graph = described[: described.index(b"PK\3\4")].replace(b"labels.txt", b"etiketten!")
    path = tmp_path / "theirs.tflite"
    labels = {"etiketten!": "rot\ngrün\nblau\n".encode()}
    path.write_bytes(archive(graph, labels, zipfile.ZIP_DEFLATED))
    page.select_option("#top-k", "0")
    page.set_input_files("#files", path)
    page.wait_for_selector("#facts:has-text('theirs.tflite')")
    assert "127.5) / 127.5; from the file" in page.inner_text("#facts")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    with Classifier(path) as classifier:
        # It has no field for that.
        assert classifier.assumptions == ("images of another shape are cropped to their centre",)
        expected = dict(zip(classifier.labels, classifier.scores(PHOTOGRAPH), strict=True))
    assert scores(page) == pytest.approx(expected, abs=1e-5)
    assert "rot" in expected
    use(page, network="cnn")
    use(page, precision="int8")


def beside(path, threshold):
    """Return the file that `edge-classify --judge --save` would write beside a model."""
    content = {"model_sha256": file_sha256(path), "acceptance": {"threshold": threshold}}
    name = path.name + SIDECAR
    return {"name": name, "mimeType": "", "buffer": json.dumps(content).encode()}


@pytest.mark.parametrize("in_the_card", [True, False])
def test_scores_below_the_threshold_are_none_of_these(page, tmp_path, in_the_card):
    graph = (GOLDEN / "unlabelled.tflite").read_bytes()
    with Classifier(GOLDEN / "unlabelled.tflite") as classifier:
        best = classifier.classify(PHOTOGRAPH)[0]
    assert best.score < 0.99
    files = {"labels.txt": b"red\ngreen\nblue\n"}
    if in_the_card:
        files["model-card.json"] = json.dumps({"acceptance": {"threshold": 0.99}}).encode()
    path = tmp_path / "mine.tflite"
    path.write_bytes(attach(graph, files))
    model = {"name": "mine.tflite", "mimeType": "", "buffer": path.read_bytes()}
    page.set_input_files("#files", [model] if in_the_card else [model, beside(path, 0.99)])
    page.wait_for_selector("#facts:has-text('scores from 99.0 %')")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    name, percent = ("red", "green", "blue")[best.index], f"{100 * best.score:.1f} %"
    assert page.inner_text("#best .label") == "none of these"
    assert page.inner_text("#best .score") == f"({name} {percent})"
    assert page.inner_text("#spoken") == f"photograph.png: none of these ({name} {percent})"
    assert page.inner_text("#tray [aria-pressed=true]") == "none of these"
    page.check("#accept-all")
    assert page.inner_text("#best .label") == name
    assert page.inner_text("#best .score") == percent
    assert page.inner_text("#tray [aria-pressed=true]") == name
    page.uncheck("#accept-all")
    use(page, network="cnn")
    use(page, precision="int8")


def test_an_opened_model_replaces_one_of_the_same_name(page):
    for name in ("float32", "unlabelled"):
        data = (GOLDEN / f"{name}.tflite").read_bytes()
        model = {"name": "mine.tflite", "mimeType": "", "buffer": data}
        page.set_input_files("#files", model)
        page.wait_for_selector(f"#facts:has-text('mine.tflite, {len(data):,} bytes')")
    use(page, network="cnn")
    use(page, precision="int8")
    assert page.locator("input[value='mine.tflite']").count() == 1
    page.locator("input[value='mine.tflite']").check(force=True)
    page.wait_for_selector(f"#facts:has-text('{len(data):,} bytes')")
    use(page, network="cnn")
    use(page, precision="int8")


def test_images_are_classified_while_a_model_loads(browser, site):
    page = browser.new_page(service_workers="block")  # `route` does not see its requests
    visit(page, site)
    held = []
    page.route("**/resnet18-int8*", lambda route: held.append(route))
    page.locator("input[name=network][value=resnet18]").check(force=True)
    page.click("[aria-label^='Sample: frog']")
    page.wait_for_selector("#best .label:text('frog')")
    assert "cnn-int8" in page.inner_text("#facts")
    held[0].continue_()
    page.wait_for_selector("#facts:has-text('resnet18-int8')", timeout=60_000)
    page.close()


def test_a_model_that_failed_to_load_at_the_start_loads_for_the_next_image(browser, site):
    page = browser.new_page()
    page.route("**/cnn-int8*", lambda route: route.abort())
    page.goto(site)
    page.wait_for_selector("#alert:visible")
    assert page.inner_text("#alert p") == (
        "The model cnn-int8 could not be loaded (Failed to fetch); check the connection and choose "
        "it again."
    )
    assert page.inner_text("#best .label") == "No result"
    page.unroute("**/cnn-int8*")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    assert page.get_attribute("#result", "aria-busy") == "false"
    page.close()
