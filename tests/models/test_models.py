"""Real models in every mode: LiteRT loads and runs what we write, and our runtime gives what LiteRT gives."""

import numpy as np
import pytest

import oracle
import product
import real_models

MODES = ["weights", "float16", "int8", "int8-only", "int16x8"]
FLOATS = real_models.float_models()
INTEGERS = real_models.integer_models()
# Their files hold float16 or sparse constants already: what is a quarter of float32 is half of theirs.
HALF_PRECISION = {"face_detection_back", "face_detection_front", "face_detection_full_range_sparse"}


def spread(expected):
    finite = expected[np.isfinite(expected)]
    return float(max(finite.max(), 0) - min(finite.min(), 0)) if finite.size else 0.0


def check_float(path, inputs, ours, tolerance=1e-5):
    """Within 1e-5 of the range of one of LiteRT's two paths: where a model amplifies rounding (a logarithm of near nothing),
    its reference kernels and XNNPACK are further from each other than that."""
    paths = [oracle.run(path, inputs), oracle.run(path, inputs, reference=False)]
    for k, got in enumerate(ours):
        for name in paths[0][k]:
            assert got[name].shape == paths[0][k][name].shape and got[name].dtype == paths[0][k][name].dtype, name
            errors = [np.abs(got[name].astype(np.float64) - p[k][name]).max(initial=0) / max(spread(p[k][name]), 1e-30) for p in paths]
            assert min(errors) <= tolerance, (name, errors)


def distances(ours, theirs):
    """The mean difference of each input's answers, in units of the output's last place, and the worst of all."""
    each = [np.concatenate([np.abs(o[n].astype(np.float64) - t[n]).ravel() for n in t]) for o, t in zip(ours, theirs)]
    return np.array([e.mean() for e in each]), max(e.max() for e in each)


@pytest.mark.parametrize("model", FLOATS, ids=lambda m: m.name)
def test_float_model_runs_as_in_litert(model, tmp_path):
    inputs = real_models.make_inputs(oracle.interpreter(model.path).get_input_details(), 1, 2)
    check_float(model.path, inputs, product.run(model.path, inputs, tmp_path))


@pytest.mark.parametrize("model", INTEGERS, ids=lambda m: m.name)
def test_integer_model_is_as_near_as_xnnpack(model, tmp_path):
    details = oracle.interpreter(model.path).get_input_details()
    inputs = real_models.pictures_as_inputs(details, 24) or real_models.make_inputs(details, 2, 4)
    reference = oracle.run(model.path, inputs)
    theirs, _ = distances(oracle.run(model.path, inputs, reference=False), reference)
    ours, worst = distances(product.run(model.path, inputs, tmp_path), reference)
    # Both round products in float32 and so flip a last bit now and then, not the same ones: ours may be further on one picture
    # and nearer on the next, but not further on the whole, beyond twice the standard error of the paired differences.
    more = ours - theirs
    assert worst <= 1 or more.mean() <= 2 * more.std(ddof=1) / np.sqrt(len(more)), (ours.mean(), theirs.mean(), worst)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("model", FLOATS, ids=lambda m: m.name)
def test_quantized_model_runs_in_litert_and_agrees(model, mode, tmp_path):
    details = oracle.interpreter(model.path).get_input_details()
    inputs = real_models.make_inputs(details, 3, 4)
    data, target = tmp_path / "data.npz", tmp_path / "out.tflite"
    product.save_samples(inputs, data)
    calibrate = [] if mode in ("weights", "float16") else ["--calibrate", data]
    done = product.fewbits("quantize", model.path, "-o", target, "--mode", mode, *calibrate, check=False)
    if mode == "int8-only" and done.returncode != 0:
        # Not every model can be integers throughout: then every offender is named with its reason, and nothing is written.
        assert "cannot run on integers" in done.stderr and "operator" in done.stderr
        assert not target.exists()
        return
    assert done.returncode == 0, done.stderr
    if model.name not in HALF_PRECISION:
        assert target.stat().st_size < 0.7 * model.path.stat().st_size
    quantized = oracle.interpreter(target).get_input_details()
    feeds = [{d["name"]: quantize(feed[s["name"]], d) for s, d in zip(details, quantized)} for feed in inputs[:2]]
    reference = oracle.run(target, feeds)
    ours = product.run(target, feeds, tmp_path)
    for mine, theirs in zip(ours, reference):
        for name, expected in theirs.items():
            assert mine[name].shape == expected.shape and mine[name].dtype == expected.dtype
            assert np.isfinite(expected.astype(np.float64)).all()
    if mode == "float16":
        check_float(target, feeds, ours)


def quantize(values, detail):
    scale, zero = detail["quantization"]
    if detail["dtype"] == np.float32 or not scale:
        return values.astype(detail["dtype"])
    info = np.iinfo(detail["dtype"])
    return np.clip(np.round(values / scale) + zero, info.min, info.max).astype(detail["dtype"])


def decibels(reference, other):
    reference, other = (np.concatenate([np.ravel(a).astype(np.float64) for run in runs for a in run.values()]) for runs in (reference, other))
    return 10 * np.log10(np.square(reference).sum() / np.square(reference - other).sum())


@pytest.mark.parametrize("block", [32, 128, 0])
@pytest.mark.parametrize("model", [m for m in FLOATS if m.name == "mlperf_tiny_ad_float"], ids=lambda m: m.name)
def test_int4_weights_run_in_litert_and_agree(model, block, tmp_path):
    """An autoencoder of ten FULLY_CONNECTED, with activations: XNNPACK applies them, LiteRT's own kernel for blocks does not."""
    details = oracle.interpreter(model.path).get_input_details()
    inputs = real_models.make_inputs(details, 3, 4)
    target = tmp_path / "int4.tflite"
    product.fewbits("quantize", model.path, "-o", target, "--mode", "weights", "--weight-type", "int4", "--block-size", block)
    assert target.stat().st_size < 0.17 * model.path.stat().st_size
    floats, theirs = oracle.run(model.path, inputs), oracle.run(target, inputs, reference=False)
    ours = product.run(target, inputs, tmp_path)
    assert decibels(theirs, ours) > decibels(floats, theirs) + 10
