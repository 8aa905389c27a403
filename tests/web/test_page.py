"""What a user does on the page."""

import io
import itertools
import re

import numpy as np
from PIL import Image

from benchmarks import chromium
from edge_runtime import Classifier
from edge_runtime.inference import shipped
from tests.web.conftest import PHOTOGRAPH, use, visit


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
