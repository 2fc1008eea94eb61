"""Makes the models that the tests of foreign formats convert, with Keras and seeded weights, and what Keras computes of them.

    python make_models.py OUT_DIR NAME...        NAME: a class of keras.applications, or one of MORE

For each: OUT_DIR/NAME/{saved_model/, model.keras, model.h5, expected.npz}; expected.npz holds input and output.
"""
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402

# Every architecture of keras.applications up to 60 MB of weights.
APPLICATIONS = ["MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "NASNetMobile", "DenseNet121", "DenseNet169",
                "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetV2B0", "EfficientNetV2B1",
                "EfficientNetV2B2", "EfficientNetV2B3"]


def spread_statistics(model, rng):
    """Batch normalizations that do something: fresh ones are the identity."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.moving_mean.shape
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.8, 1.2, shape))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.1, shape))
            layer.moving_mean.assign(rng.normal(0, 0.1, shape))
            layer.moving_variance.assign(rng.uniform(0.6, 1.4, shape))


def make(name):
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    if name.startswith("LSTM") or name.startswith("GRU") or name.startswith("SimpleRNN"):
        inputs = keras.Input((16, 8))
        model = keras.Model(inputs, keras.layers.Dense(4)(getattr(keras.layers, name)(12)(inputs)))
        return model, rng.standard_normal((1, 16, 8)).astype(np.float32)
    size = {"EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetV2B1": 240,
            "EfficientNetV2B2": 260, "EfficientNetV2B3": 300}.get(name, 224)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None, input_shape=(size, size, 3))
    spread_statistics(model, rng)
    return model, rng.uniform(0, 255, (1, size, size, 3)).astype(np.float32)


def main():
    out = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:]:
        folder = out / name
        if (folder / "expected.npz").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        model, data = make(name)
        model.export(str(folder / "saved_model"), verbose=False)
        model.save(folder / "model.keras")
        model.save(folder / "model.h5")
        # How far Keras's own answer moves when the input moves by one unit in its last place: random weights can amplify it.
        nudged = [model.predict(np.nextafter(data, np.float32(towards)), verbose=0) for towards in (-np.inf, np.inf)]
        np.savez(folder / "expected.npz", input=data, output=model.predict(data, verbose=0), nudged=np.stack(nudged))
        print(name, flush=True)


if __name__ == "__main__":
    main()
