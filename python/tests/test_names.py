"""tf.lite name by name: what TensorFlow 2.21 and LiteRT have is here, or says why not.

The lists were read off TensorFlow (vars() of a converter from from_keras_model, dir() of tf.lite and tf.compat.v1.lite), without
what is state and no option.
"""

import inspect

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert

import fewbits as tf
from fewbits.errors import InvalidArgumentError, InvalidDataError, UnsupportedError

# With the values that they start with.
CONVERTER = {
    "_experimental_allow_all_select_tf_ops": False,
    "_experimental_calibrate_only": False,
    "_experimental_default_to_single_batch_in_tensor_list_ops": False,
    "_experimental_disable_fuse_mul_and_fc": False,
    "_experimental_disable_per_channel": False,
    "_experimental_disable_per_channel_quantization_for_dense_layers": False,
    "_experimental_enable_composite_direct_lowering": True,
    "_experimental_enable_dynamic_update_slice": False,
    "_experimental_full_integer_quantization_bias_type": None,
    "_experimental_guarantee_all_funcs_one_use": False,
    "_experimental_low_bit_qat": False,
    "_experimental_lower_tensor_list_ops": True,
    "_experimental_preserve_assert_op": False,
    "_experimental_qdq_conversion_mode": None,
    "_experimental_quantization_options": None,
    "_experimental_reduce_type_precision": False,
    "_experimental_sparsify_model": False,
    "_experimental_strict_qdq": False,
    "_experimental_tf_quantization_mode": None,
    "_experimental_unfold_large_splat_constant": False,
    "_experimental_unsafe_fuse_dynamic_shaped_broadcast": False,
    "_experimental_use_buffer_offset": False,
    "_experimental_variable_quantization": False,
    "allow_custom_ops": False,
    "canonicalizing_inf_as_min_max_float": True,
    "elide_elementsattrs_if_larger": None,
    "enable_timing": None,
    "exclude_conversion_metadata": False,
    "experimental_enable_resource_variables": True,
    "experimental_lower_to_saved_model": True,
    "experimental_new_converter": True,
    "experimental_new_dynamic_range_quantizer": True,
    "experimental_new_quantizer": True,
    "experimental_stablehlo_quantizer_config": None,
    "experimental_use_stablehlo_quantizer": False,
    "inference_input_type": np.float32,
    "inference_output_type": np.float32,
    "ir_dump_dir": None,
    "ir_dump_func_regex": None,
    "ir_dump_pass_regex": None,
    "legalize_custom_tensor_list_ops": False,
    "model_origin_framework": "UNSET",
    "optimizations": [],
    "print_ir_after": None,
    "print_ir_before": None,
    "print_ir_module_scope": None,
    "representative_dataset": None,
    "serialize_debug_metadata": False,
    "unfold_batchmatmul": False,
    # tf.compat.v1's, too
    "change_concat_input_ranges": False,
    "conversion_summary_dir": None,
    "default_ranges_stats": None,
    "drop_control_dependency": True,
    "dump_graphviz_dir": None,
    "dump_graphviz_video": False,
    "inference_type": np.float32,
    "output_format": "TFLITE",
    "quantized_input_stats": None,
    "reorder_across_fake_quant": False,
}
# What may be set; the others keep their value.
OPTIONS = {
    "_experimental_disable_per_channel",
    "allow_custom_ops",
    "exclude_conversion_metadata",
    "inference_input_type",
    "inference_output_type",
    "optimizations",
    "representative_dataset",
}
METHODS = [
    "convert",
    "experimental_from_jax",
    "from_concrete_functions",
    "from_keras_model",
    "from_saved_model",
    "from_frozen_graph",  # and tf.compat.v1's
    "from_keras_model_file",
    "from_session",
    "get_input_arrays",
]


@pytest.mark.parametrize("name", CONVERTER)
def test_the_converters_attributes(name, classifier):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    default = CONVERTER[name]
    assert getattr(converter, name) == default
    setattr(converter, name, default)
    if name not in OPTIONS:
        with pytest.raises(UnsupportedError, match=rf"converter\.{name} = .* is not in fewbits: .{{12,}}"):
            setattr(converter, name, "something else" if default is None or isinstance(default, str) else not default)
        assert getattr(converter, name) == default


def test_the_converters_methods(classifier):
    for name in METHODS:
        assert callable(getattr(tf.lite.TFLiteConverter, name))
    assert tf.lite.TFLiteConverter.from_tflite(classifier).get_input_arrays() == ["input_1"]


def test_enumerations_and_constants():
    assert [option.name for option in tf.lite.Optimize] == [
        "DEFAULT",
        "OPTIMIZE_FOR_SIZE",
        "OPTIMIZE_FOR_LATENCY",
        "EXPERIMENTAL_SPARSITY",
    ]
    assert {option.name for option in tf.lite.OpsSet} == {
        "TFLITE_BUILTINS",
        "SELECT_TF_OPS",
        "TFLITE_BUILTINS_INT8",
        "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
        "EXPERIMENTAL_STABLEHLO_OPS",
    }
    constants = "FLOAT FLOAT16 GRAPHVIZ_DOT INT16 INT32 INT64 INT8 QUANTIZED_UINT8 STRING TFLITE"
    assert sorted(tf.lite.constants.__all__) == constants.split()
    assert set(inspect.signature(tf.lite.TargetSpec).parameters) == {
        "supported_ops",
        "supported_types",
        "experimental_select_user_tf_ops",
        "experimental_supported_backends",
    }


def test_interpreters_have_what_litert_has(classifier):
    ours = inspect.signature(tf.lite.Interpreter.__init__).parameters
    assert list(ours) == list(inspect.signature(litert.Interpreter.__init__).parameters)
    for mine, theirs in ((tf.lite.Interpreter, litert.Interpreter), (tf.lite.SignatureRunner, litert.SignatureRunner)):
        assert [name for name in dir(theirs) if not name.startswith("__") and not hasattr(mine, name)] == []
    for name in (name for name in dir(litert) if name[0].isupper() or name == "load_delegate"):
        try:
            getattr(tf.lite, name)
        except UnsupportedError as error:
            assert "is not in fewbits" in str(error)
    interpreter = tf.lite.Interpreter(classifier)
    with pytest.raises(AttributeError, match="no tflite::Interpreter behind"):
        interpreter._interpreter.ModifyGraphWithDelegate(None)
    with pytest.raises(AttributeError, match="no attribute 'invok'"):
        interpreter.invok()


def test_views_are_told_of(classifier):
    for make in (tf.lite.Interpreter, litert.Interpreter):
        interpreter = make(model_path=classifier)
        interpreter.allocate_tensors()
        assert interpreter._safe_to_run()
        held = interpreter.tensor(interpreter.get_input_details()[0]["index"])()
        assert not interpreter._safe_to_run()
        with pytest.raises(RuntimeError, match="internal data"):
            interpreter._ensure_safe()
        del held
        interpreter._ensure_safe()


def test_experimental():
    names = "Analyzer OpResolverType QuantizationDebugOptions QuantizationDebugger authoring load_delegate"
    assert sorted(tf.lite.experimental.__all__) == names.split()
    for action in (
        lambda: tf.lite.experimental.Analyzer.analyze(model_path="model.tflite", gpu_compatibility=True),
        lambda: tf.lite.experimental.authoring.compatible(lambda x: x),
        lambda: tf.lite.experimental.load_delegate("libedgetpu.so", {}),
        lambda: tf.lite.experimental.convert_op_hints_to_stubs,
        lambda: tf.lite.TocoConverter,
        lambda: tf.lite.OpHint,
    ):
        with pytest.raises(UnsupportedError, match=r"[a-z ]{20}"):
            action()
    with pytest.raises(AttributeError, match="did you mean 'quantize'"):
        tf.quantise
    with pytest.raises(AttributeError, match="of TensorFlow it has lite"):
        tf.keras


# ---- tf.data and tf.dtypes, as the page uses them ----


def plain(value):
    return [v.tolist() if isinstance(v, (np.ndarray, np.generic)) else v for v in value]


def test_datasets_are_cut_and_batched():
    data = tf.data.Dataset.from_tensor_slices(np.arange(7))
    assert len(data) == 7 and plain(data) == [0, 1, 2, 3, 4, 5, 6] == plain(data)  # twice
    assert plain(data.batch(3)) == [[0, 1, 2], [3, 4, 5], [6]] and len(data.batch(3)) == 3
    assert plain(data.batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]] and len(data.batch(3, drop_remainder=True)) == 2
    assert plain(data.batch(1).take(2)) == [[0], [1]] and len(data.take(-1)) == 7
    assert plain(data.skip(5)) == [5, 6] and len(data.skip(9)) == 0 and plain(data.skip(-1)) == []
    assert plain(data.batch(2).unbatch().take(3)) == [0, 1, 2]
    assert plain(data.map(lambda x: x * 2).filter(lambda x: x > 8).prefetch(tf.data.AUTOTUNE).cache()) == [10, 12]
    assert plain(tf.data.Dataset.range(2, 5)) == [2, 3, 4] and "7 samples" in repr(data)
    pairs = tf.data.Dataset.from_tensor_slices((np.arange(4), {"label": np.arange(4, 8)})).batch(2)
    first, second = pairs
    assert plain(first[0]) == [0, 1] and plain(second[1]["label"]) == [6, 7]
    assert plain(pairs.map(lambda x, y: x + y["label"])) == [[4, 6], [8, 10]]
    drawn = tf.data.Dataset.from_generator(lambda: iter([1.5, 2.5]), output_signature=None)
    assert plain(drawn.take(1)) == [1.5] and plain(drawn.batch(2)) == [[1.5, 2.5]]
    with pytest.raises(TypeError, match="unknown"):
        len(drawn)
    with pytest.raises(UnsupportedError, match="Dataset.interleave is not in fewbits"):
        data.interleave
    with pytest.raises(InvalidDataError, match="as many samples"):
        tf.data.Dataset.from_tensor_slices((np.arange(4), np.arange(5)))
    with pytest.raises(InvalidDataError, match="a number has none"):
        tf.data.Dataset.from_tensor_slices(3)
    with pytest.raises(InvalidArgumentError, match="1 is the least"):
        data.batch(0)


def test_casts_cut_fractions_off():
    assert tf.dtypes.cast([1.7, -1.7], tf.int32).tolist() == [1, -1] and tf.cast([1], "float32").dtype == np.float32
    array = np.zeros(3, np.float32)
    assert tf.dtypes.cast(array, tf.float32) is array and tf.dtypes.as_dtype(tf.uint8) == np.uint8


def test_samples_as_the_page_cuts_them(classifier, pictures):
    images = pictures[0][:6]

    def representative_dataset():
        for data in tf.data.Dataset.from_tensor_slices((images)).batch(1).take(100):
            yield [tf.dtypes.cast(data, tf.float32)]

    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    tflite_quant_model = converter.convert()
    assert tflite_quant_model == tf.quantize(classifier, "int8", images).to_bytes()
    # And fewbits' own functions take such datasets, batched or with labels.
    batched = tf.data.Dataset.from_tensor_slices((images, pictures[1][:6])).batch(4)
    assert tf.quantize(classifier, "int8", batched).to_bytes() == tflite_quant_model
