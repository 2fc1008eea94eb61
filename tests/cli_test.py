"""The command line as a user meets it: outputs, JSON, exit codes, errors.

Run by ctest, which sets FEWBITS (the program) and FEWBITS_TEST_MODELS (what make_test_models wrote).
"""

import json
import pathlib
import subprocess

import numpy as np
import pytest

from cli_support import ADDER, CLASSIFIER, FEWBITS, PICTURES, UNKNOWN, run, run_json


@pytest.fixture
def ranges(tmp_path):
    path = tmp_path / "ranges.json"
    run("calibrate", CLASSIFIER, "--data", PICTURES, "-o", path)
    return path


@pytest.fixture
def int8(tmp_path, ranges):
    path = tmp_path / "int8.tflite"
    run("quantize", CLASSIFIER, "-o", path, "--mode", "int8", "--stats", ranges)
    return path


# ---- help and usage ----


def test_version():
    assert run("--version").stdout.startswith("fewbits 0.")


@pytest.mark.parametrize("command", ["quantize", "calibrate", "run", "compare", "eval", "inspect", "bench"])
def test_help_teaches(command):
    text = run(command, "--help").stdout
    assert f"Usage: fewbits {command}" in text
    assert f"  fewbits {command} " in text.split("Examples:")[1]
    assert max(map(len, text.split("Examples:")[0].splitlines())) <= 100


def test_help_lists_commands():
    text = run("--help").stdout
    for command in ["quantize", "calibrate", "run", "compare", "eval", "inspect", "bench"]:
        assert f"\n  {command} " in text


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "subcommand"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["quantize", "a.tflite", "-o", "b.tflite"], "--mode"),
        (["quantize", "a.tflite", "-o", "b.tflite", "--mode", "int7"], "int7"),
        (["quantize", "a.tflite", "-o", "b.tflite", "--mode", "int8"], "--calibrate"),
        (["quantize", "a.tflite", "-o", "b.tflite", "--mode", "weights", "--input-type", "int8"], "float32"),
        (["quantize", "a.tflite", "-o", "b", "--mode", "int8", "--calibrate", "x", "--stats", "y"], "together"),
        (["quantize", "a.tflite", "-o", "b", "--mode", "int8", "--stats", "y", "--mean", "1"], "--stats"),
        (["calibrate", "-o", "x.json"], "--merge"),
        (["calibrate", "a.tflite", "-o", "x.json"], "--data is required"),
        (["calibrate", "a.tflite", "--merge", "x", "y", "-o", "x.json"], "--merge"),
        (["compare", "a.tflite", "b.tflite", "--data", "x", "--others"], "--samples"),
        (["bench", ADDER, "--shape", "left"], "NAME=1,2,3"),
        (["bench", ADDER, "--shape", "left=1,x"], "'x'"),
        (["bench", ADDER, "--runs", "0"], "--runs"),
        (["run", ADDER, "--threads", "0"], "--threads"),
        (["eval", ADDER, "--data", "x", "--mean", "1,2"], "--mean"),
    ],
)
def test_usage_errors(args, message):
    done = run(*args, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("fewbits: ") and message in done.stderr
    assert "--help" in done.stderr


def test_usage_error_as_json():
    done = run("quantize", "a.tflite", "--mode", "int8", "-o", "b", "--json", code=2)
    assert json.loads(done.stdout)["error"]["code"] == "usage"


# ---- errors of work ----


@pytest.mark.parametrize(
    "args, code, message",
    [
        (["inspect", "/no/such.tflite"], "not_found", "/no/such.tflite"),
        (["inspect", PICTURES], "invalid_model", "pictures.npz"),
        (["eval", CLASSIFIER, "--data", "/no/data"], "not_found", "/no/data"),
        (["run", CLASSIFIER, "--signature", "decode"], "not_found", "it has serve"),
        (["run", UNKNOWN], "unsupported", "Mystery"),
        (["run", ADDER, "--input", PICTURES], "invalid_data", "there is no array for input 'left'; it holds 'image', 'labels'"),
        (["calibrate", "--merge", CLASSIFIER, "-o", "/tmp/x.json"], "invalid_data", "classifier.tflite"),
    ],
)
def test_work_errors(args, code, message):
    error = run_json(*args, code=1)["error"]
    assert error["code"] == code
    assert message in error["message"]
    done = run(*args, code=1)
    assert done.stderr.startswith("fewbits: ") and done.stdout == ""


# ---- quantize and calibrate ----


@pytest.mark.parametrize("mode", ["weights", "float16", "int8", "int8-only", "int16x8"])
def test_quantize_modes(tmp_path, ranges, mode):
    out = tmp_path / "out.tflite"
    stats = [] if mode in ("weights", "float16") else ["--stats", ranges]
    result = run_json("quantize", CLASSIFIER, "-o", out, "--mode", mode, *stats)
    assert result["output"]["bytes"] == out.stat().st_size < result["input"]["bytes"]
    assert result["ratio"] == pytest.approx(out.stat().st_size / result["input"]["bytes"])
    assert sum(result["operators"].values()) == len(result["decisions"]) == 4
    assert set(result["operators"]) == {"integer", "hybrid", "weight-only", "float"}
    for decision in result["decisions"]:
        assert set(decision) == {"subgraph", "operator", "type", "output", "treatment", "reason", "help"}
    described = run_json("inspect", out)
    expected = "int8" if mode == "int8-only" else "float32"
    assert described["inputs"][0]["dtype"] == described["outputs"][0]["dtype"] == expected


def test_int4_weights(tmp_path):
    out = {}
    for block, size in (("32", 32), ("0", 0)):
        out[size] = tmp_path / f"{size}.tflite"
        arguments = ["quantize", CLASSIFIER, "-o", out[size], "--mode", "weights", "--weight-type", "int4", "--min-elements", "0"]
        result = run_json(*arguments, "--block-size", block)
        reasons = {d["type"]: d["reason"] for d in result["decisions"] if d["treatment"] == "hybrid"}
        assert reasons["FULLY_CONNECTED"] == ""
        assert reasons["CONV_2D"] == "only FULLY_CONNECTED has int4 weights: its own are int8"
        assert run_json("run", out[size])["outputs"]
    text = run(*arguments, "--block-size", "160").stdout
    assert "1  FULLY_CONNECTED  blocks of 160 do not divide its" in text
    assert "have int4 or int8 weights" in text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--mode", "weights", "--block-size", "32"], "--block-size is for --weight-type int4"),
        (["--mode", "weights", "--weight-type", "int4", "--block-size", "48"], "a multiple of 32, or 0"),
        (["--mode", "float16", "--weight-type", "int4"], "needs mode weights"),
        (["--mode", "weights", "--weight-type", "int2"], "int2 not in"),
    ],
)
def test_int4_usage(tmp_path, arguments, message):
    assert message in run("quantize", CLASSIFIER, "-o", tmp_path / "o.tflite", *arguments, code=2).stderr


def test_quantize_text(tmp_path, ranges):
    text = run("quantize", CLASSIFIER, "-o", tmp_path / "o.tflite", "--mode", "int8", "--stats", ranges, "--exclude", "SOFTMAX").stdout
    assert "times smaller" in text
    assert "ranges from 6 samples" in text
    assert "3  run on integers" in text
    assert "1  SOFTMAX  excluded by 'SOFTMAX'" in text


def test_quantize_is_quiet(tmp_path):
    done = run("quantize", CLASSIFIER, "-o", tmp_path / "o.tflite", "--mode", "weights", "--quiet")
    assert done.stdout == done.stderr == ""


def test_quantize_calibrates_in_one_go(tmp_path, int8):
    out = tmp_path / "direct.tflite"
    result = run_json("quantize", CLASSIFIER, "-o", out, "--mode", "int8", "--calibrate", PICTURES)
    assert result["calibration_samples"] == 6
    assert out.read_bytes() == int8.read_bytes()


def test_weights_mode_says_that_data_is_not_needed(tmp_path):
    text = run("quantize", CLASSIFIER, "-o", tmp_path / "o.tflite", "--mode", "weights", "--calibrate", "/no/data").stdout
    assert "needs no calibration" in text


def test_int8_only_lists_every_offender(tmp_path):
    stats = tmp_path / "s.json"
    run("calibrate", CLASSIFIER, "--data", PICTURES, "-o", stats)
    out = tmp_path / "o.tflite"
    done = run("quantize", CLASSIFIER, "-o", out, "--mode", "int8-only", "--stats", stats, "--exclude", "SOFTMAX", "--exclude", "conv", code=1)
    assert "SOFTMAX" in done.stderr and "CONV_2D" in done.stderr and not out.exists()


def test_merge_gives_what_one_pass_gives(tmp_path, ranges):
    pictures = np.load(PICTURES)["image"]
    parts = []
    for i, part in enumerate([pictures[:2], pictures[2:]]):
        np.savez(tmp_path / f"part{i}.npz", image=part)
        parts.append(tmp_path / f"part{i}.json")
        run("calibrate", CLASSIFIER, "--data", tmp_path / f"part{i}.npz", "-o", parts[-1])
    result = run_json("calibrate", "--merge", *parts, "-o", tmp_path / "merged.json")
    assert result["samples"] == 6
    merged, whole = (json.loads(p.read_text()) for p in (tmp_path / "merged.json", ranges))
    for a, b in zip(merged["tensors"], whole["tensors"]):
        assert (a["name"], a["min"], a["max"], a["samples"]) == (b["name"], b["min"], b["max"], b["samples"])


def test_preprocessing_is_kept_with_the_statistics(tmp_path):
    stats = tmp_path / "s.json"
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "p.npz", image=pixels, labels=np.arange(4))
    run("calibrate", CLASSIFIER, "--data", tmp_path / "p.npz", "--scale", "0.5", "--mean", "1,2,3", "--std", "4", "--bgr", "-o", stats)
    kept = json.loads(stats.read_text())["preprocess"]
    assert (kept["scale"], kept["mean"], kept["std"], kept["channel_order"]) == (0.5, [1, 2, 3], [4], "bgr")
    with_stats = run_json("eval", CLASSIFIER, "--data", tmp_path / "p.npz", "--stats", stats)
    with_flags = run_json("eval", CLASSIFIER, "--data", tmp_path / "p.npz", "--scale", "0.5", "--mean", "1,2,3", "--std", "4", "--bgr")
    assert with_stats == with_flags


# ---- run ----


def test_run_by_name(tmp_path):
    left = np.arange(5, dtype=np.float32)[None]
    np.savez(tmp_path / "in.npz", left=left, right=10 * left)
    result = run_json("run", ADDER, "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert result["outputs"] == [{"name": "sum", "dtype": "float32", "shape": [1, 5]}]
    with np.load(tmp_path / "out.npz") as out:
        assert list(out) == ["sum"]
        np.testing.assert_array_equal(out["sum"], 11 * left)


def test_run_takes_tensor_names_and_numpys_float64(tmp_path):
    np.savez(tmp_path / "in.npz", a=np.ones((1, 2)), b=np.ones((1, 2)))
    run("run", ADDER, "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["sum"].tolist() == [[2, 2]]


def test_run_one_input_from_npy(tmp_path):
    np.save(tmp_path / "in.npy", np.load(PICTURES)["image"][:1])
    run("run", CLASSIFIER, "--input", tmp_path / "in.npy", "-o", tmp_path / "out.npy")
    scores = np.load(tmp_path / "out.npy")
    assert scores.shape == (1, 10) and scores.sum() == pytest.approx(1, abs=1e-5)


def test_run_without_input_is_random_and_repeats(tmp_path):
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        run("run", CLASSIFIER, "--seed", seed, "-o", tmp_path / f"{name}.npz")
    a, b, c = (np.load(tmp_path / f"{name}.npz")["scores"] for name in "abc")
    assert (a == b).all() and (a != c).any()


def test_run_names_the_wrong_shape(tmp_path):
    np.save(tmp_path / "in.npy", np.zeros((8, 8, 3), np.float32))
    assert "[8, 8, 3], and the input [1, 8, 8, 3]" in run("run", CLASSIFIER, "--input", tmp_path / "in.npy", code=1).stderr


# ---- compare, eval, inspect, bench ----


def test_compare(int8):
    result = run_json("compare", CLASSIFIER, int8, "--data", PICTURES, "--layers")
    assert result["samples"] == 6
    (output,) = result["outputs"]
    assert output["name"] == "scores" and 0 <= output["agreement"] <= 1
    assert output["sqnr_db"] > 10 and not output["exact"]
    assert [layer["type"] for layer in result["layers"]] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    text = run("compare", CLASSIFIER, int8, "--data", PICTURES, "--layers").stdout
    assert "SQNR dB" in text and "lowest:" in text


def test_compare_with_itself_is_exact():
    (output,) = run_json("compare", CLASSIFIER, CLASSIFIER, "--data", PICTURES)["outputs"]
    assert output["exact"] and output["sqnr_db"] is None and output["agreement"] == 1
    assert "exact" in run("compare", CLASSIFIER, CLASSIFIER, "--data", PICTURES).stdout


def test_compare_sqnr_matches_numpy(tmp_path, int8):
    pictures = np.load(PICTURES)["image"]
    scores = {}
    for name, model in [("float", CLASSIFIER), ("int8", int8)]:
        rows = []
        for picture in pictures:
            np.save(tmp_path / "in.npy", picture[None])
            run("run", model, "--input", tmp_path / "in.npy", "-o", tmp_path / "out.npy")
            rows.append(np.load(tmp_path / "out.npy").astype(np.float64))
        scores[name] = np.concatenate(rows)
    noise = scores["int8"] - scores["float"]
    (output,) = run_json("compare", CLASSIFIER, int8, "--data", PICTURES)["outputs"]
    assert output["sqnr_db"] == pytest.approx(10 * np.log10((scores["float"] ** 2).sum() / (noise**2).sum()))
    assert output["max_abs"] == pytest.approx(abs(noise).max())
    assert output["agreement"] == pytest.approx((scores["float"].argmax(1) == scores["int8"].argmax(1)).mean())


def test_eval():
    result = run_json("eval", CLASSIFIER, "--data", PICTURES)
    assert result["samples"] == 6 and result["classes"] == 10 and result["label_offset"] == 0
    assert result["top1"] == result["top1_hits"] / 6 and result["top5_hits"] >= result["top1_hits"]
    text = run("eval", CLASSIFIER, "--data", PICTURES).stdout
    assert f"({result['top1_hits']} of 6)" in text


def test_eval_without_labels(tmp_path):
    np.savez(tmp_path / "x.npz", image=np.zeros((2, 8, 8, 3), np.float32))
    assert "there is no label" in run("eval", CLASSIFIER, "--data", tmp_path / "x.npz", code=1).stderr


def test_eval_on_what_calibration_did_not_see():
    chosen = run_json("eval", CLASSIFIER, "--data", PICTURES, "--samples", "2", "--seed", "5")
    others = run_json("eval", CLASSIFIER, "--data", PICTURES, "--samples", "2", "--seed", "5", "--others")
    whole = run_json("eval", CLASSIFIER, "--data", PICTURES)
    assert (chosen["samples"], others["samples"]) == (2, 4)
    assert chosen["top1_hits"] + others["top1_hits"] == whole["top1_hits"]


def test_a_model_as_c(int8, tmp_path):
    """The array holds the file that convert writes, for C and for C++."""
    run("convert", int8, "-o", tmp_path / "same.tflite")
    run("convert", int8, "-o", tmp_path / "int8-model.c", "--emit", "c")
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\nextern const unsigned char int8_model[];\nextern const size_t int8_model_size;\n"
        "int main(void) { return fwrite(int8_model, 1, int8_model_size, stdout) != int8_model_size; }\n")
    for compiler in (["gcc", "-std=c11"], ["g++", "-std=c++17", "-c"]):
        sources = ["int8-model.c", "main.c"] if "-c" not in compiler else ["-x", "c++", "int8-model.c"]
        subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", "out", *sources], cwd=tmp_path, check=True)
        if "-c" not in compiler:
            assert subprocess.run([tmp_path / "out"], capture_output=True, check=True).stdout == (tmp_path / "same.tflite").read_bytes()
    assert "no name" in run("convert", int8, "-o", tmp_path / "8bit.c", "--emit", "c", code=1).stderr


def test_inspect(int8):
    result = run_json("inspect", int8)
    assert result["bytes"] == int8.stat().st_size
    assert result["inputs"] == [{"name": "image", "tensor": "x", "dtype": "float32", "shape": [1, 8, 8, 3]}]
    assert result["signatures"][0]["key"] == "serve"
    (graph,) = result["subgraphs"]
    assert [op["type"] for op in graph["operators"]] == ["QUANTIZE", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"]
    weights = next(t for t in graph["tensors"] if t["name"] == "conv/w")
    assert len(weights["scale"]) == 8 and weights["axis"] == 0
    assert "CONV_2D v3" in run("inspect", int8).stdout


def test_inspect_why():
    operators = run_json("inspect", CLASSIFIER, "--why")["subgraphs"][0]["operators"]
    assert all(op["kernel"] and "integers" in op["in_float"] for op in operators)
    assert "kernel " in run("inspect", CLASSIFIER, "--why").stdout


def test_inspect_why_of_a_model_that_cannot_run():
    text = run("inspect", UNKNOWN, "--why").stdout
    assert "does not know this operator" in text and "no kernels are shown" in text


def test_bench():
    result = run_json("bench", CLASSIFIER, "--runs", "5", "--threads", "1", "--profile")
    assert result["runs"] == 5 and result["threads"] == 1
    assert 0 < result["min_ms"] <= result["median_ms"] <= result["p90_ms"]
    assert result["plan_ms"] > 0 and result["peak_bytes"] > 0
    assert [op["type"] for op in result["operators"]] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    text = run("bench", CLASSIFIER, "--runs", "2").stdout
    assert "median" in text and "2 runs" in text


def test_bench_shapes():
    assert run_json("bench", ADDER, "--runs", "1", "--shape", "left=1,9", "--shape", "right=1,9")["runs"] == 1


def test_operators():
    by_type = {op["type"]: op for op in run_json("operators")}
    assert by_type["CONV_2D"] == {"type": "CONV_2D", "custom": False, "inputs": [2, 3], "int8": True, "int16": True, "weights": "hybrid"}
    assert by_type["DEPTHWISE_CONV_2D"]["weights"] == by_type["GATHER"]["weights"] == "stored"
    assert by_type["TFLite_Detection_PostProcess"]["custom"] and by_type["CONCATENATION"]["inputs"][1] == -1
    assert not by_type["WHILE"]["int8"] and list(by_type) == sorted(by_type)
    assert f"{len(by_type)} operators" in run("operators").stdout
