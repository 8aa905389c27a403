"""The average of the weights; `test_fit` checks that a run is evaluated with it."""

import keras
import numpy as np
import pytest
from keras import ops

from train import averaging

ONE = np.ones((1, 1), np.float32)


@pytest.mark.parametrize("kind", [averaging.SGD, averaging.Adam])
@pytest.mark.parametrize(
    ("ema", "steps", "lag"),
    [
        # Step s of t weighs about s^8, so the mean step is 9/10 of t.
        (0.999, 30, 3),
        (0.999, 100, 10),
        # Half the weight is on the last step, a quarter on the one before, and so on.
        (0.5, 100, 1),
    ],
)
def test_the_average_lags_by_a_tenth_of_the_steps_at_most(kind, ema, steps, lag):
    """The gradient is constant, so the weight is a clock: it falls by 0.1 each step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(
        kind(0.1, use_ema=True, ema_momentum=ema),
        loss=lambda labels, outputs: ops.mean(outputs),
        jit_compile=False,
    )
    for _ in range(steps):
        model.train_on_batch(ONE, ONE)
    [[[last]]] = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    [[[average]]] = model.get_weights()
    assert (average - last) / 0.1 == pytest.approx(lag, rel=0.02)
