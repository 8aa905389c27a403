"""The page computes what the Python runtime computes."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import chromium
from edge_runtime import Classifier
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from export import committed, quantize
from tests.export.test_gpu_workaround import network as strided
from tests.export.test_gpu_workaround import noisy_images
from tests.web.conftest import PHOTOGRAPH, bring, png, scores, seen, use, visit


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
