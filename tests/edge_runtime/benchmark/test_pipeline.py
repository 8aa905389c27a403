import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.benchmark.pipeline import STAGES, Pipeline, Setting, sweep
from edge_runtime.errors import DelegateError, EdgeRuntimeError, ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.opening import open_engine
from tests.conftest import GOLDEN

IMAGES = list(shipped.samples().values())


def test_a_sweep_is_every_combination_model_by_model():
    settings = sweep(["a", "b"], ["cpu"], [1, 2], [1, 8])
    assert [(s.model, s.threads, s.batch) for s in settings[:5]] == [
        *(("a", 1, 1), ("a", 1, 8), ("a", 2, 1), ("a", 2, 8)),
        ("b", 1, 1),
    ]
    assert len(set(settings)) == len(settings) == 8


@pytest.mark.parametrize("batch", [1, 4])
def test_every_stage_takes_time(batch):
    pipeline = Pipeline(Setting("cnn-int8", batch=batch))
    times = pipeline.run(IMAGES[:batch])
    assert len(times) == len(STAGES)
    assert min(times) > 0
    assert (pipeline.placement.delegate, pipeline.placement.delegated) == ("xnnpack", 29)


@pytest.mark.parametrize("delegate", ["xnnpack", "cpu"])
@pytest.mark.parametrize("model", ["cnn-int8", "cnn-float32"])
def test_a_batch_gives_the_results_of_its_images(model, delegate):
    with Classifier(model, delegate=delegate) as classifier:
        tensors = [classifier.preprocessing(image) for image in IMAGES[:4]]
        engine = open_engine(classifier.path, delegate=delegate, batch=4)
        assert engine.input.shape == (4, 32, 32, 3)
        together = engine.run(np.concatenate(tensors)).reshape(4, -1)
        alone = np.stack([classifier.invoke(tensor) for tensor in tensors])
    np.testing.assert_allclose(together, alone, atol=1e-5 if model == "cnn-float32" else 0)
    assert len({row.argmax() for row in together}) > 1


def test_a_model_that_takes_no_batch_says_so():
    with pytest.raises(ModelError, match="does not take 4 images at once; use a batch of 1"):
        Pipeline(Setting(str(GOLDEN / "grey.tflite"), batch=4))


def test_the_gpu_takes_no_batch():
    with pytest.raises(DelegateError, match="one image at a time"):
        open_engine(shipped.models()["cnn-int8"], delegate="gpu", batch=2)


@pytest.mark.parametrize(
    "name", ["float32", "grey", "int16", "int8", "logits", "uint8", "unlabelled"]
)
def test_foreign_models_of_other_shapes_and_types_run(name):
    delegate = "cpu" if name == "int16" else "xnnpack"
    pipeline = Pipeline(Setting(str(GOLDEN / f"{name}.tflite"), delegate))
    assert min(pipeline.run(IMAGES[:1])) > 0


@pytest.mark.parametrize("name", ["image_to_image", "no_image", "two_inputs"])
def test_other_models_are_refused_with_a_reason(name):
    with pytest.raises(EdgeRuntimeError, match="is not an image classifier"):
        Pipeline(Setting(str(GOLDEN / f"{name}.tflite")))


def test_what_is_timed_is_what_classify_does():
    with Classifier("cnn-int8") as classifier:
        tensor = classifier.preprocessing.tensor(classifier.preprocessing.decode(IMAGES[0]))
        scores = classifier.scores_of(classifier.invoke(tensor))
        result = classifier.classify(IMAGES[0], top_k=3)
        assert classifier.predictions(scores, top_k=3) == result.predictions
