"""The page compared with the Python runtime, and what a user does on it."""

import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks import chromium
from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from export import committed, quantize
from tests.conftest import ROOT
from tests.export.test_gpu_workaround import network as strided
from tests.export.test_gpu_workaround import noisy_images
from tests.web.conftest import bring, png, scores, seen, use, visit

PHOTOGRAPH = ROOT / "examples" / "chelsea.png"


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


# int8: kernels round intermediate sums differently, which changes scores by up to 2 steps of 1/256.
MODELS = pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        ("cnn-int8", 2 / 256),
        ("cnn-float32", 1e-5),
        pytest.param("resnet18-int8", 2 / 256, marks=pytest.mark.slow),
    ],
)


@MODELS
def test_scores_equal_those_of_the_python_runtime(page, model, tolerance):
    """Compare on held-out images: 50 for the default model, 20 for the others."""
    images = committed.read().held_out.images[:: 10 if model == "cnn-int8" else 25]
    assert len(images) == (50 if model == "cnn-int8" else 20)
    check_against_the_runtime(page, images, model, tolerance)


@pytest.mark.slow
@MODELS
def test_scores_equal_the_runtimes_on_test_images(page, cifar10, model, tolerance):
    check_against_the_runtime(page, cifar10.test.images[:500], model, tolerance)


def photograph(mode="RGB", size=None):
    with Image.open(PHOTOGRAPH) as image:
        return image.convert(mode).resize(size or image.size)


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    return png(photograph(), format="JPEG", quality=90, exif=exif)


def translucent():
    image = photograph()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return png(image)


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        pytest.param(PHOTOGRAPH.read_bytes(), 0, id="png"),
        pytest.param(png(photograph(size=(3001, 2000))), 0, id="large"),
        pytest.param(png(photograph(size=(20, 17))), 0, id="smaller than the input"),
        pytest.param(png(photograph(size=(32, 50))), 0, id="as wide as the input"),
        # Pillow 13 may start with the columns.
        pytest.param(png(photograph(size=(33, 66))), 1, id="tall"),
        pytest.param(png(photograph("L")), 0, id="grey"),
        pytest.param(png(photograph("P")), 0, id="palette"),
        pytest.param(png(photograph(), format="JPEG", quality=75), 0, id="jpeg"),
        pytest.param(rotated(), 0, id="rotated"),
        pytest.param(png(photograph(), format="WEBP", quality=80), 1, id="webp"),
        pytest.param(translucent(), 1, id="translucent"),  # rounded in another order
    ],
)
def test_images_shrink_as_in_python(page, tmp_path, data, steps):
    """The bytes are equal if the browser decodes to the same pixels."""
    path = tmp_path / "image"
    path.write_bytes(data)
    bring(page, "image", data)
    expected = fit(decode(path), 32, 32)
    assert np.abs(seen(page).astype(int) - expected).max() <= steps


def y4m(images, *, frames_each):
    """Return a video of images, uint8 (N, H, W, 3), at 10 frames per second."""
    _, height, width, _ = images.shape
    out = io.BytesIO()
    out.write(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode())
    for image in images:
        full = np.asarray(Image.fromarray(image).convert("YCbCr"), np.float64)
        full = full * [219 / 255, 224 / 255, 224 / 255] + [16, 16, 16]  # BT.601, limited range
        y, chroma = full[:, :, 0], full[:, :, 1:].reshape(height // 2, 2, width // 2, 2, 2)
        planes = [y, *np.moveaxis(chroma.mean(axis=(1, 3)), -1, 0)]
        frame = b"FRAME\n" + b"".join(np.rint(p).astype(np.uint8).tobytes() for p in planes)
        out.write(frame * frames_each)
    return out.getvalue()


def test_camera_frames_are_classified_in_their_order(playwright, site, tmp_path):
    """The browser's fake camera plays a video of images to which the runtime gives high scores."""
    images, expected = [], []
    with Classifier() as classifier:
        for path in shipped.samples().values():
            large = Image.open(path).resize((480, 480), Image.Resampling.BICUBIC)
            [best] = classifier.classify(np.asarray(large))
            if best.score > 0.8:
                images.append(np.asarray(large))
                expected.append(best.label)
    assert len(set(expected)) >= 4
    video = tmp_path / "camera.y4m"
    video.write_bytes(y4m(np.stack(images), frames_each=10))
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
        page.wait_for_timeout(1000 * len(images) + 1500)
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


def test_a_denied_and_a_missing_camera_give_a_message(playwright, site, page):
    page.click("text=Use the camera")
    page.wait_for_selector("#alert")
    assert "The browser finds no camera on this device" in page.inner_text("#alert")
    with chromium.launch(
        playwright, *chromium.NO_GPU, "--use-fake-device-for-media-stream"
    ) as browser:
        page = browser.new_context(permissions=[]).new_page()
        visit(page, site)
        page.click("text=Use the camera")
        page.wait_for_selector("#alert:visible")
        assert "The browser denied access to the camera" in page.inner_text("#alert")
        assert page.is_hidden("#live")


@pytest.mark.slow
def test_webgpu_gives_the_scores_of_the_cpu(playwright, site):
    """The GPU is Chromium's software driver."""
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
        # A model that the GPU computes wrongly stays on the CPU.
        narrow = quantize.to_int8(strided(32, 2), noisy_images(32))
        page.set_input_files("#files", {"name": "a.tflite", "mimeType": "", "buffer": narrow})
        page.wait_for_selector("#facts:has-text('a.tflite')")
        page.check("input[value=webgpu]", force=True)
        page.wait_for_selector("#alert:has-text('computes a.tflite wrongly')")
        assert page.inner_text("#facts dd >> nth=0") == "CPU: XNNPACK in WebAssembly, one thread"
        assert page.locator("input[value=wasm]").is_checked()
        use(page, network="cnn")
        use(page, accelerator="webgpu")
        # A choice made while a network loads does not undo the choice of the network.
        page.check("input[value=resnet18]", force=True)
        page.check("input[value=wasm]", force=True)
        page.wait_for_selector("#facts:has-text('resnet18-int8'):has-text('CPU: XNNPACK')")


def test_without_a_gpu_the_page_says_so(page):
    assert page.locator("input[value=webgpu]").is_disabled()
    assert page.inner_text("#no-gpu") == "No GPU: WebGPU finds no graphics adapter."


def test_of_several_images_the_good_ones_are_taken(page):
    before = page.locator("#tray button").count()
    files = {"good.png": PHOTOGRAPH.read_bytes(), "text.png": b"no image", "empty.jpg": b""}
    page.set_input_files(
        "#files",
        [{"name": n, "mimeType": "image/png", "buffer": data} for n, data in files.items()],
    )
    page.wait_for_selector("#alert:visible")
    alert = page.inner_text("#alert")
    assert "text.png is damaged, too large or not an image" in alert
    assert "empty.jpg is empty" in alert
    assert page.locator("[aria-label='good.png: cat']").get_attribute("aria-pressed") == "true"
    assert page.locator("#tray button").count() == before + 1
    page.click("[aria-label='Dismiss the message']")
    assert page.is_hidden("#alert")


# Delays the next `fetch` until `release()` is called.
HOLD = """() => { const real = window.fetch; window.fetch = async (...what) => {
    window.fetch = real;
    await new Promise(resolve => { window.release = resolve; });
    return real(...what);
}; }"""


def choose(page, sample):
    page.click(f"[aria-label^='Sample: {sample}']")


def check_stage(page, sample):
    """Check that the image, its mark in the tray and the result belong to one sample."""
    from playwright.sync_api import expect

    caption = f"Sample: {sample}: {sample}"
    pressed = page.locator("#tray [aria-pressed=true]")
    expect(pressed).to_have_attribute("aria-label", caption, timeout=30_000)
    page.wait_for_timeout(500)  # in which an older request must not replace it
    assert page.get_attribute("#still", "aria-label") == f"Sample: {sample}"
    assert pressed.get_attribute("aria-label") == caption
    assert page.inner_text("#best .label") == sample


def test_an_image_that_loads_slowly_does_not_replace_a_newer_one(browser, site):
    page = browser.new_page()
    visit(page, site)
    page.evaluate(HOLD)
    choose(page, "truck")
    choose(page, "frog")
    page.wait_for_selector("#best .label:text('frog')")
    page.evaluate("release()")
    check_stage(page, "frog")
    page.close()


def test_the_result_belongs_to_the_image_on_the_stage_while_a_model_loads(playwright, site):
    """Pick another image at several moments while a GPU compiles the model, which takes long."""
    with chromium.launch(playwright, *chromium.SOFTWARE_GPU) as browser:
        page = browser.new_page()
        visit(page, site)
        for ms, sample in zip((10, 50, 100, 200), itertools.cycle(["frog", "truck"])):
            use(page, accelerator="wasm")
            page.evaluate(
                "([sample, ms]) => { document.querySelector('input[value=webgpu]').click();"
                "const button = document.querySelector(`[aria-label^='Sample: ${sample}']`);"
                "setTimeout(() => button.click(), ms); }",
                [sample, ms],
            )
            page.wait_for_selector("#facts:has-text('GPU: WebGPU')")
            check_stage(page, sample)


def test_the_keyboard_reaches_everything_and_everything_has_a_name(browser, site):
    """An arrow key also changes the precision."""
    page = browser.new_page()
    visit(page, site)
    for role, name in [
        ("button", "Choose images"),
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


def test_the_page_fits_a_phone(browser, site):
    page = browser.new_page(viewport={"width": 360, "height": 740})
    visit(page, site)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # The result is visible without scrolling.
    assert page.locator("#best").bounding_box()["y"] < 740
    page.close()
