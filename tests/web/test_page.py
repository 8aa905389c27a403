"""The page against the Python runtime, and what a user meets on it."""

import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks import browser as chromium
from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from export import calibration, quantize
from tests.conftest import ROOT
from tests.export.test_gpu import network as strided
from tests.export.test_gpu import pictures
from tests.web.conftest import bring, png, scores, seen, use, visit

PHOTO = ROOT / "examples" / "chelsea.png"


def check_against_the_runtime(page, images, model, tolerance):
    page.select_option("#top-k", "0")
    network, _, precision = model.partition("-")
    use(page, network=network)
    use(page, precision=precision)
    with Classifier(model) as classifier:
        for i, image in enumerate(images):
            bring(page, f"{i}.png", png(image))
            assert (seen(page) == image).all()
            expected = classifier.scores(image)
            actual = np.array([scores(page)[label] for label in classifier.labels])
            assert actual.argmax() == expected.argmax()
            assert np.abs(actual - expected).max() <= tolerance
    use(page, network="cnn")
    use(page, precision="int8")


# int8: kernels round intermediate sums differently, by a step or two of the output's 1/256.
MODELS = pytest.mark.parametrize(
    ("model", "tolerance"),
    [("cnn-int8", 2 / 256), ("cnn-float32", 1e-5), ("resnet18-int8", 2 / 256)],
)


@MODELS
def test_the_same_answers_as_the_python_runtime(page, model, tolerance):
    """On images that no network was trained on, 50 for the default model."""
    images = calibration.read().held_out.images[:: 10 if model == "cnn-int8" else 25]
    assert len(images) == (50 if model == "cnn-int8" else 20)
    check_against_the_runtime(page, images, model, tolerance)


@pytest.mark.slow
@MODELS
def test_the_same_answers_on_test_images(page, cifar10, model, tolerance):
    check_against_the_runtime(page, cifar10.test.images[:500], model, tolerance)


def photo(mode="RGB", size=None):
    with Image.open(PHOTO) as image:
        return image.convert(mode).resize(size or image.size)


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    return png(photo(), format="JPEG", quality=90, exif=exif)


def translucent():
    image = photo()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return png(image)


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        pytest.param(PHOTO.read_bytes(), 0, id="png"),
        pytest.param(png(photo(size=(3001, 2000))), 0, id="large"),
        pytest.param(png(photo(size=(20, 17))), 0, id="smaller than the input"),
        pytest.param(png(photo(size=(32, 50))), 0, id="of its width"),
        pytest.param(png(photo(size=(33, 66))), 1, id="tall"),  # Pillow 13 may begin with columns
        pytest.param(png(photo("L")), 0, id="grey"),
        pytest.param(png(photo("P")), 0, id="palette"),
        pytest.param(png(photo(), format="JPEG", quality=75), 0, id="jpeg"),
        pytest.param(rotated(), 0, id="rotated"),
        pytest.param(png(photo(), format="WEBP", quality=80), 1, id="webp"),
        pytest.param(translucent(), 1, id="translucent"),  # blended in another order
    ],
)
def test_pictures_shrink_as_in_python(page, tmp_path, data, steps):
    """To the very byte, where the browser decodes to the same pixels."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    bring(page, "picture", data)
    expected = fit(decode(path), 32, 32)
    assert np.abs(seen(page).astype(int) - expected).max() <= steps


def y4m(pictures, *, frames_each):
    """Return a video that shows uint8 (N, H, W, 3) one after the other, 10 a second."""
    _, height, width, _ = pictures.shape
    out = io.BytesIO()
    out.write(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode())
    for picture in pictures:
        full = np.asarray(Image.fromarray(picture).convert("YCbCr"), np.float64)
        full = full * [219 / 255, 224 / 255, 224 / 255] + [16, 16, 16]  # BT.601, limited range
        y, chroma = full[:, :, 0], full[:, :, 1:].reshape(height // 2, 2, width // 2, 2, 2)
        planes = [y, *np.moveaxis(chroma.mean(axis=(1, 3)), -1, 0)]
        frame = b"FRAME\n" + b"".join(np.rint(p).astype(np.uint8).tobytes() for p in planes)
        out.write(frame * frames_each)
    return out.getvalue()


def test_the_camera(playwright, site, tmp_path):
    """A fake one, fed from a video of pictures that the runtime is sure of."""
    pictures, expected = [], []
    with Classifier() as classifier:
        for path in shipped.samples().values():
            large = Image.open(path).resize((480, 480), Image.Resampling.BICUBIC)
            [best] = classifier.classify(np.asarray(large))
            if best.score > 0.8:
                pictures.append(np.asarray(large))
                expected.append(best.label)
    assert len(set(expected)) >= 4
    video = tmp_path / "camera.y4m"
    video.write_bytes(y4m(np.stack(pictures), frames_each=10))
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    )
    with chromium.launch(playwright, *chromium.NO_GPU, *flags) as browser:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        visit(page, site)
        page.evaluate(
            "() => { window.shown = []; const best = document.querySelector('#best .label');"
            " new MutationObserver(() => shown.push(best.textContent))"
            ".observe(best, {childList: true, characterData: true, subtree: true}); }"
        )
        page.click("text=Use the camera")
        page.wait_for_timeout(1000 * len(pictures) + 1500)
        shown = [label for label, _ in itertools.groupby(page.evaluate("shown"))]
        assert re.fullmatch(r"[\d.]+ frames/s", page.inner_text("#rate"))
        assert page.is_visible("#live")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.click("text=Stop camera")
        assert page.is_hidden("#live")
        assert page.inner_text("#rate") == "off"
    looped = [label for label, _ in itertools.groupby(expected * 3)]
    wanted = [looped[i : i + len(expected)] for i in range(len(expected))]
    text = " ".join(shown)
    assert any(" ".join(order) in text for order in wanted), (shown, expected)


def test_a_refused_and_a_missing_camera(playwright, site, page):
    page.click("text=Use the camera")
    page.wait_for_selector("#alert")
    assert "no camera that the browser can find" in page.inner_text("#alert")
    with chromium.launch(
        playwright, *chromium.NO_GPU, "--use-fake-device-for-media-stream"
    ) as browser:
        page = browser.new_context(permissions=[]).new_page()
        visit(page, site)
        page.click("text=Use the camera")
        page.wait_for_selector("#alert:visible")
        assert "The camera was refused" in page.inner_text("#alert")
        assert page.is_hidden("#live")


def test_webgpu(playwright, site):
    """Through Chromium's software driver."""
    with chromium.launch(playwright, *chromium.SOFTWARE_GPU) as browser:
        page = browser.new_page()
        visit(page, site)
        page.select_option("#top-k", "0")
        assert page.inner_text("#facts dd >> nth=0") == "CPU: XNNPACK in WebAssembly, one thread"
        for precision, tolerance in [("int8", 2 / 256), ("float32", 1e-4)]:
            use(page, accelerator="wasm")
            use(page, precision=precision)
            on_cpu = scores(page)
            use(page, accelerator="webgpu")
            assert page.inner_text("#facts dd >> nth=0").startswith("GPU: WebGPU")
            on_gpu = scores(page)
            assert next(iter(on_gpu)) == next(iter(on_cpu))
            assert max(abs(on_gpu[label] - on_cpu[label]) for label in on_cpu) <= tolerance
        use(page, network="resnet18")
        assert "GPU: WebGPU" in page.inner_text("#facts")
        on_gpu = scores(page)
        use(page, accelerator="wasm")
        on_cpu = scores(page)
        assert max(abs(on_gpu[label] - on_cpu[label]) for label in on_cpu) <= 2 / 256
        use(page, network="cnn")
        # What the GPU computes wrongly stays on the CPU.
        narrow = quantize.to_int8(strided(32, 2), pictures(32))
        page.set_input_files("#files", {"name": "a.tflite", "mimeType": "", "buffer": narrow})
        page.wait_for_selector("#facts:has-text('a.tflite')")
        page.check("input[value=webgpu]", force=True)
        page.wait_for_selector("#alert:has-text('computes a.tflite wrongly')")
        assert page.inner_text("#facts dd >> nth=0") == "CPU: XNNPACK in WebAssembly, one thread"
        assert page.locator("input[value=wasm]").is_checked()
        use(page, network="cnn")
        use(page, accelerator="webgpu")
        # While a network is on its way, another choice does not undo that one.
        page.check("input[value=resnet18]", force=True)
        page.check("input[value=wasm]", force=True)
        page.wait_for_selector("#facts:has-text('resnet18-int8'):has-text('CPU: XNNPACK')")


def test_without_a_gpu_it_says_so(page):
    assert page.locator("input[value=webgpu]").is_disabled()
    assert page.inner_text("#no-gpu") == "No GPU: WebGPU finds no graphics adapter."


def test_one_picture_of_several_is_broken(page):
    before = page.locator("#tray button").count()
    files = {"good.png": PHOTO.read_bytes(), "text.png": b"no picture", "empty.jpg": b""}
    page.set_input_files(
        "#files",
        [{"name": n, "mimeType": "image/png", "buffer": data} for n, data in files.items()],
    )
    page.wait_for_selector("#alert:visible")
    alert = page.inner_text("#alert")
    assert "text.png is damaged, too large or not a picture" in alert
    assert "empty.jpg is empty" in alert
    assert page.locator("[aria-label='good.png: cat']").get_attribute("aria-pressed") == "true"
    assert page.locator("#tray button").count() == before + 1
    page.click("[aria-label='Dismiss the message']")
    assert page.is_hidden("#alert")


# Holds the next thing that is fetched until the page says `release()`.
HOLD = """() => { const real = window.fetch; window.fetch = async (...what) => {
    window.fetch = real;
    await new Promise(resolve => { window.release = resolve; });
    return real(...what);
}; }"""


def choose(page, sample):
    page.click(f"[aria-label^='Sample: {sample}']")


def check_stage(page, sample):
    """The picture, its mark and the answer are all of one sample."""
    page.wait_for_timeout(500)
    assert page.get_attribute("#still", "aria-label") == f"Sample: {sample}"
    pressed = page.locator("#tray [aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == f"Sample: {sample}: {sample}"
    assert page.inner_text("#best .label") == sample


def test_a_picture_that_takes_long_does_not_displace_a_later_one(browser, site):
    page = browser.new_page()
    visit(page, site)
    page.evaluate(HOLD)
    choose(page, "truck")
    choose(page, "frog")
    page.wait_for_selector("#best .label:text('frog')")
    page.evaluate("release()")
    check_stage(page, "frog")
    page.close()


def test_the_answer_is_of_what_is_on_the_stage_while_a_model_is_made_ready(playwright, site):
    """Another picture is chosen at some moments of that, which takes long on a GPU."""
    with chromium.launch(playwright, *chromium.SOFTWARE_GPU) as browser:
        page = browser.new_page()
        visit(page, site)
        for ms, sample in zip((10, 50, 100, 200), itertools.cycle(["frog", "truck"])):
            use(page, accelerator="wasm")
            page.evaluate(
                "([sample, ms]) => { document.querySelector('input[value=webgpu]').click();"
                "const picture = document.querySelector(`[aria-label^='Sample: ${sample}']`);"
                "setTimeout(() => picture.click(), ms); }",
                [sample, ms],
            )
            page.wait_for_selector("#facts:has-text('GPU: WebGPU')")
            check_stage(page, sample)


def test_keyboard_and_names(browser, site):
    """Everything can be reached and has a name; the precision changes by an arrow key."""
    page = browser.new_page()
    visit(page, site)
    for role, name in [
        ("button", "Choose pictures"),
        ("button", "Use the camera"),
        ("button", "Measure"),
        ("combobox", "Show"),
        ("group", "Network"),
        ("group", "Precision"),
        ("group", "Run on"),
        ("button", re.compile("^Sample: frog")),
        ("img", re.compile("^The 32 . 32 pixels that the network sees$")),
        ("list", "Most likely classes"),
    ]:
        assert page.get_by_role(role, name=name).count() == 1, name
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
    for target in ("choose", "camera", "measure", "top-k", "cnn", "int8", "wasm"):
        assert target in reached
    page.focus("input[value=int8]")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#facts:has-text('cnn-float32')")
    assert page.evaluate("document.activeElement.value") == "float32"
    sample = page.locator("[aria-label='Sample: frog']")
    sample.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#best .label:text('frog')")
    page.close()


def test_it_fits_a_phone(browser, site):
    page = browser.new_page(viewport={"width": 360, "height": 740})
    visit(page, site)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#best").bounding_box()["y"] < 740  # the answer is in sight at once
    page.close()
