import numpy as np
import pytest

from edge_runtime import Classifier, ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.batching import Batching
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.placement import Placement
from tests.conftest import GOLDEN

SHAPE = (1, 32, 32, 3)


class Doubler:
    """A model with as many outputs as pixels, which notes the sizes of its batches."""

    def __init__(self, fails_above=16, wrong_above=16):
        self.batches = []
        self._fails_above, self._wrong_above = fails_above, wrong_above

    def __call__(self, batch):
        self.batches.append(len(batch))
        if len(batch) > self._fails_above:
            raise ModelError("It does not take so many.")
        return (batch.reshape(-1) * 2) + (len(batch) > self._wrong_above)


def batching(delegate="xnnpack", shape=SHAPE):
    return Batching(Placement(delegate, 1, 1, 1, ()), shape)


def images(count, shape=(1, 2)):
    return [np.full(shape, number) for number in range(count)]


def run(batching, model, count):
    outputs = batching.run(model, images(count))
    assert [output.tolist() for output in outputs] == [[2 * n, 2 * n] for n in range(count)]


def test_the_first_batch_is_compared_and_the_others_are_trusted():
    one, model = batching(), Doubler()
    run(one, model, 40)
    assert model.batches == [*[1] * 16, 16, 16, 8]
    run(one, model, 1)
    run(one, model, 3)
    assert model.batches[-2:] == [1, 3]


@pytest.mark.parametrize("options", [{"fails_above": 1}, {"wrong_above": 1}])
def test_a_model_that_computes_batches_wrongly_gets_none(options):
    one, model = batching(), Doubler(**options)
    run(one, model, 40)
    assert model.batches == [*[1] * 16, 16, *[1] * 24]


@pytest.mark.parametrize(
    ("delegate", "shape", "expected"),
    [
        ("cpu", SHAPE, 1),
        ("gpu", SHAPE, 1),
        ("xnnpack", (1, 64, 64, 1), 4),
        ("xnnpack", (1, 224, 224, 3), 1),
    ],
)
def test_only_small_images_on_xnnpack_get_batches(delegate, shape, expected):
    model = Doubler()
    run(batching(delegate, shape), model, 4)
    run(batching(delegate, shape), model, 4)
    assert max(model.batches) == expected


def test_nothing_gives_nothing():
    assert batching().run(Doubler(), []) == []


@pytest.mark.parametrize("name", ["cnn-int8", "cnn-float32", "resnet18-int8"])
def test_a_shipped_model_takes_batches_of_any_size(name):
    engine = open_engine(shipped.find(name))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 32, 32, 3)).astype(engine.input.dtype)
    alone = np.concatenate([engine.run(image[np.newaxis]) for image in pixels]).astype(float)
    for count in (16, 5, 1, 16):
        limit = 0 if name.endswith("int8") else 1e-5  # of float scores on some CPU
        assert np.abs(engine.run(pixels[:count]) - alone[: count * 10]).max() <= limit


def test_the_engine_runs_one_image_after_a_batch_that_its_graph_does_not_take():
    engine = open_engine(GOLDEN / "grey.tflite")
    image = np.zeros(engine.input.shape, engine.input.dtype)
    before = engine.run(image)
    with pytest.raises(ModelError, match="does not take 2 images at once; use a batch of 1"):
        engine.run(np.concatenate([image, image]))
    assert np.array_equal(engine.run(image), before)


@pytest.mark.parametrize("options", [{}, {"views": 3}, {"second_opinion": "resnet18-int8"}])
def test_a_batch_of_arrays_gives_what_single_arrays_give(options):
    rng = np.random.default_rng(0)
    if "second_opinion" in options:
        options = options | {"unsure_below": 0.9}
    arrays = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(40)]
    arrays[7] = arrays[7].astype(float)
    with Classifier(**options) as classifier:
        results = classifier.classify_batch(arrays, top_k=10)
        assert "but got float64" in str(results.pop(7).error)
        del arrays[7]
        assert results == [classifier.classify(array, top_k=10) for array in arrays]
