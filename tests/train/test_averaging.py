"""The average of the weights; that a run is evaluated with it, `test_fit` checks."""

import keras
import numpy as np
import pytest

from train import averaging


@pytest.mark.parametrize("kind", [averaging.SGD, averaging.Adam])
@pytest.mark.parametrize("ema", [0.999, 0.2])
def test_it_reaches_back_over_a_ninth_of_the_steps(kind, ema):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(kind(0.1, use_ema=True, ema_momentum=ema), loss="mse", jit_compile=False)
    rng = np.random.default_rng(0)
    expected = model.get_weights()
    for step in range(30):
        model.train_on_batch(rng.random((4, 3)), rng.random((4, 2)))
        decay = min(ema, (1 + step) / (10 + step))
        now = model.get_weights()
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, now, strict=True)]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for weight, average in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, average, rtol=1e-4, atol=1e-5)
        assert np.abs(average).max() > 0.01
