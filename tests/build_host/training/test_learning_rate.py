import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_host.training.config import FitConfig, PlateauConfig

pytestmark = pytest.mark.tensorflow

# Losses around one another's min_delta, so that "not lower by 1e-4" decides.
losses = st.lists(
    st.one_of(
        st.sampled_from([1.0, 0.99995, 0.9999, 0.99985, 0.5, 2.0]),
        st.floats(0.0, 3.0),
        st.just(float("nan")),
    ),
    max_size=14,
)


@given(
    losses,
    st.sampled_from([1e-3, 3e-4, 1e-5, 1e-6]),
    st.integers(1, 4),
    st.sampled_from([0.5, 0.1, 0.9]),
    st.sampled_from([1e-5, 1e-4, 0.0]),
)
@settings(max_examples=100)
def test_the_rate_falls_exactly_as_keras_own_callback_lowers_it(
    validation_losses, start, patience, factor, floor
) -> None:
    from build_host.keras import keras
    from build_host.training.history import Epoch
    from build_host.training.learning_rate import plateau_rate

    model = _optimized_model()
    model.optimizer.learning_rate.assign(start)
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", factor=factor, patience=patience, min_lr=floor
    )
    callback.set_model(model)
    callback.on_train_begin()
    plateau = PlateauConfig(patience=patience, factor=factor, floor=floor)
    history: list[Epoch] = []
    for number, loss in enumerate(validation_losses):
        expected = float(model.optimizer.learning_rate.numpy())
        assert plateau_rate(history, start, plateau) == pytest.approx(expected, rel=1e-5)
        history.append(Epoch(expected, 1.0, 0.5, loss, 0.5, 0.5))
        callback.on_epoch_end(number, {"val_loss": loss})
    expected = float(model.optimizer.learning_rate.numpy())
    assert plateau_rate(history, start, plateau) == pytest.approx(expected, rel=1e-5)


_MODEL: list[object] = []


def _optimized_model():
    from build_host.keras import keras

    if not _MODEL:
        model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        _MODEL.append(model)
    return _MODEL[0]


@given(st.integers(1, 40), st.floats(0.0, 10.0), st.floats(0.0, 50.0))
@settings(max_examples=100)
def test_the_cosine_climbs_while_warming_up_and_then_falls_to_nothing(epochs, warmup, done) -> None:
    from build_host.training.learning_rate import cosine_rate

    config = FitConfig(epochs=epochs, warmup=warmup, learning_rate=0.1, schedule="cosine")
    rate, later = cosine_rate(config, done), cosine_rate(config, done + 0.1)
    assert 0.0 <= rate <= 0.1
    if done + 0.1 < warmup:
        assert later > rate
    if done > warmup:
        assert later <= rate
    if epochs > warmup:
        assert cosine_rate(config, warmup) == pytest.approx(0.1)
        assert cosine_rate(config, epochs) == pytest.approx(0.0, abs=1e-12)
        assert cosine_rate(config, (warmup + epochs) / 2) == pytest.approx(0.05)
