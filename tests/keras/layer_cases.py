"""The layers of keras.layers that convert, each with its arguments: what test_layers.py generates models from."""

import keras
from keras import layers as L

IMAGE, LINE, VOLUME, VECTOR = (9, 10, 6), (12, 6), (5, 6, 7, 3), (8,)


def cases():
    """(name, function of inputs to outputs, shapes of the inputs without batch)."""
    yield from activations()
    yield from augmentations()
    yield from convolutions()
    yield from einsums()
    yield from dense_and_shapes()
    yield from merges()
    yield from normalizations()
    yield from pools()
    yield from recurrent()
    yield from attention()
    yield from models()


def layer(name, make, shape=IMAGE):
    return name, lambda x: make()(x), [shape]


def activations():
    for name in ("linear", "relu", "relu6", "sigmoid", "tanh", "softmax", "log_softmax", "softplus", "softsign", "elu", "selu", "gelu",
                 "exponential", "leaky_relu", "hard_sigmoid", "swish", "silu", "hard_silu", "mish"):
        yield layer(f"activation_{name}", lambda name=name: L.Activation(name))
        yield layer(f"dense_{name}", lambda name=name: L.Dense(5, activation=name), VECTOR)
    yield layer("relu", L.ReLU)
    yield layer("relu_max", lambda: L.ReLU(max_value=0.7))
    yield layer("relu_slope", lambda: L.ReLU(negative_slope=0.2))
    yield layer("relu_slope_max", lambda: L.ReLU(max_value=0.5, negative_slope=0.1))
    yield layer("relu_threshold", lambda: L.ReLU(threshold=0.3))
    yield layer("relu_all", lambda: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2))
    yield layer("leaky_relu", lambda: L.LeakyReLU(negative_slope=0.15))
    yield layer("prelu", lambda: L.PReLU(alpha_initializer="uniform"))
    yield layer("prelu_shared", lambda: L.PReLU(alpha_initializer="uniform", shared_axes=[1, 2]))
    yield layer("elu", lambda: L.ELU(alpha=0.7))
    yield layer("softmax_axis", lambda: L.Softmax(axis=1))
    yield layer("softmax", L.Softmax)


def einsums():
    for name, equation, shape, axes in (("dense", "abc,cd->abd", (None, 7), "d"), ("heads", "abc,cde->abde", (None, 2, 5), "de"),
                                        ("join", "abc,bcd->ad", (5,), "d"), ("dots", "...x,xy->...y", (7,), "y"), ("bare", "abc,cd->abd", (None, 7), None)):
        yield layer(f"einsum_dense_{name}", lambda e=equation, s=shape, a=axes: L.EinsumDense(
            e, output_shape=s if len(s) > 1 else s[0], bias_axes=a, activation="relu", bias_initializer="random_normal"), LINE)


# Layers that change images in training only.
AUGMENTATIONS = ["AugMix", "RandAugment"]


def augmentations():
    for name in AUGMENTATIONS:
        yield layer("augmentation_" + name, lambda n=name: getattr(L, n)(), (9, 10, 3))


def convolutions():
    for padding in ("valid", "same"):
        for strides in (1, 2):
            yield layer(f"conv2d_{padding}_{strides}", lambda p=padding, s=strides: L.Conv2D(4, (3, 2), strides=s, padding=p))
            yield layer(f"depthwise2d_{padding}_{strides}",
                        lambda p=padding, s=strides: L.DepthwiseConv2D((3, 2), strides=s, padding=p, depth_multiplier=2))
            yield layer(f"separable2d_{padding}_{strides}",
                        lambda p=padding, s=strides: L.SeparableConv2D(4, 3, strides=s, padding=p, depth_multiplier=2))
            yield layer(f"conv1d_{padding}_{strides}", lambda p=padding, s=strides: L.Conv1D(4, 3, strides=s, padding=p), LINE)
            yield layer(f"depthwise1d_{padding}_{strides}", lambda p=padding, s=strides: L.DepthwiseConv1D(3, strides=s, padding=p), LINE)
            yield layer(f"separable1d_{padding}_{strides}", lambda p=padding, s=strides: L.SeparableConv1D(4, 3, strides=s, padding=p),
                        LINE)
            yield layer(f"conv3d_{padding}_{strides}", lambda p=padding, s=strides: L.Conv3D(4, 2, strides=s, padding=p), VOLUME)
            yield layer(f"conv3d_transpose_{padding}_{strides}",
                        lambda p=padding, s=strides: L.Conv3DTranspose(4, (2, 3, 3), strides=s, padding=p, bias_initializer="ones"), VOLUME)
            for kernel in (2, 3, 4):
                yield layer(f"conv2d_transpose_{padding}_{strides}_{kernel}",
                            lambda p=padding, s=strides, k=kernel: L.Conv2DTranspose(4, k, strides=s, padding=p))
                yield layer(f"conv1d_transpose_{padding}_{strides}_{kernel}",
                            lambda p=padding, s=strides, k=kernel: L.Conv1DTranspose(4, k, strides=s, padding=p), LINE)
    yield layer("conv2d_dilated", lambda: L.Conv2D(4, 3, dilation_rate=2, padding="same"))
    yield layer("conv2d_dilated_valid", lambda: L.Conv2D(4, 3, dilation_rate=(2, 1)))
    yield layer("conv2d_groups", lambda: L.Conv2D(6, 3, groups=3))
    yield layer("conv2d_no_bias_relu", lambda: L.Conv2D(4, 3, use_bias=False, activation="relu"))
    yield layer("conv1d_causal", lambda: L.Conv1D(4, 3, padding="causal"), LINE)
    yield layer("conv1d_causal_dilated", lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2), LINE)
    yield layer("depthwise2d_dilated", lambda: L.DepthwiseConv2D(3, dilation_rate=2, padding="same"))
    yield layer("conv2d_transpose_output_padding", lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1))
    yield layer("conv2d_transpose_relu", lambda: L.Conv2DTranspose(4, 3, strides=2, activation="relu", use_bias=False))


def dense_and_shapes():
    yield layer("dense", lambda: L.Dense(5), VECTOR)
    yield layer("dense_of_line", lambda: L.Dense(5, use_bias=False), LINE)
    yield layer("dense_of_image", lambda: L.Dense(5))
    yield layer("flatten", L.Flatten)
    yield layer("flatten_channels_first", lambda: L.Flatten(data_format="channels_first"))
    yield layer("reshape", lambda: L.Reshape((6, 90)))
    yield layer("reshape_open", lambda: L.Reshape((-1, 6)))
    yield layer("permute", lambda: L.Permute((3, 1, 2)))
    yield layer("repeat_vector", lambda: L.RepeatVector(3), VECTOR)
    yield layer("zero_padding1d", lambda: L.ZeroPadding1D((1, 2)), LINE)
    yield layer("zero_padding2d", lambda: L.ZeroPadding2D(((1, 2), (0, 3))))
    yield layer("zero_padding2d_pair", lambda: L.ZeroPadding2D((1, 2)))
    yield layer("cropping1d", lambda: L.Cropping1D((1, 2)), LINE)
    yield layer("cropping2d", lambda: L.Cropping2D(((1, 2), (0, 3))))
    yield layer("up_sampling1d", lambda: L.UpSampling1D(3), LINE)
    yield layer("up_sampling3d", lambda: L.UpSampling3D((2, 1, 3)), VOLUME)
    yield layer("center_crop", lambda: L.CenterCrop(4, 7))
    yield layer("up_sampling2d", lambda: L.UpSampling2D((2, 3)))
    yield layer("up_sampling2d_bilinear", lambda: L.UpSampling2D(2, interpolation="bilinear"))
    yield layer("resizing", lambda: L.Resizing(5, 17))
    yield layer("resizing_nearest", lambda: L.Resizing(5, 17, interpolation="nearest"))
    yield layer("dropout", lambda: L.Dropout(0.5))
    yield layer("gaussian_noise", lambda: L.GaussianNoise(0.5))
    yield layer("spatial_dropout2d", lambda: L.SpatialDropout2D(0.5))


def merges():
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield name.lower(), lambda x, y, name=name: getattr(L, name)()([x, y]), [IMAGE, IMAGE]
    yield "add_broadcast", lambda x, y: L.Add()([x, y]), [IMAGE, (1, 1, 6)]
    yield "concatenate_axis", lambda x, y: L.Concatenate(axis=1)([x, y]), [IMAGE, IMAGE]
    yield "dot", lambda x, y: L.Dot(axes=1)([x, y]), [VECTOR, VECTOR]
    yield "dot_normalized", lambda x, y: L.Dot(axes=1, normalize=True)([x, y]), [VECTOR, VECTOR]
    yield "dot_matrices", lambda x, y: L.Dot(axes=(2, 2))([x, y]), [LINE, (5, 6)]
    ops = keras.ops
    yield "reductions", lambda x: ops.sum(x, axis=-1, keepdims=True) + ops.mean(x, axis=(1, 2), keepdims=True) * ops.max(x), [IMAGE]
    yield "where", lambda x, y: ops.where(ops.logical_and(x > 0, ops.logical_not(y <= 0.5)), x, y), [IMAGE, IMAGE]
    yield "likes", lambda x: x * ops.ones_like(x) + ops.zeros_like(x), [IMAGE]
    yield "expand_and_squeeze", lambda x: ops.squeeze(ops.expand_dims(x, 1) * ops.cast(ops.expand_dims(x, 1) > 0, "float32"), 1), [LINE]
    yield "any_of", lambda x: ops.cast(ops.any(x > 2, axis=1), "float32") - ops.cast(ops.all(x > -2, axis=1), "float32"), [LINE]
    yield "matmul", lambda x, y: ops.matmul(x, y), [LINE, (6, 5)]
    yield "operators", lambda x, y: (x + y) * 2.0 - y / 3.0, [IMAGE, IMAGE]


def normalizations():
    noise = keras.initializers.RandomUniform(0.5, 1.5, seed=3)
    stats = dict(moving_mean_initializer=noise, moving_variance_initializer=noise, beta_initializer=noise, gamma_initializer=noise)
    yield layer("batch_normalization", lambda: L.BatchNormalization(**stats))
    yield layer("batch_normalization_axis", lambda: L.BatchNormalization(axis=1, **stats))
    yield layer("batch_normalization_plain",
                lambda: L.BatchNormalization(scale=False, center=False, moving_mean_initializer=noise, epsilon=1e-2))
    yield layer("layer_normalization", lambda: L.LayerNormalization(beta_initializer=noise, gamma_initializer=noise))
    yield layer("layer_normalization_axes", lambda: L.LayerNormalization(axis=[1, 2], gamma_initializer=noise))
    yield layer("layer_normalization_plain", lambda: L.LayerNormalization(center=False, scale=False))
    yield layer("group_normalization", lambda: L.GroupNormalization(groups=3, beta_initializer=noise, gamma_initializer=noise))
    yield layer("unit_normalization", L.UnitNormalization)
    yield layer("unit_normalization_axis", lambda: L.UnitNormalization(axis=1))
    yield layer("rescaling", lambda: L.Rescaling(1 / 127.5, offset=-1))
    yield layer("rescaling_channels", lambda: L.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], offset=[0.5] * 6))
    yield layer("normalization", lambda: L.Normalization(mean=[0.1] * 6, variance=[2.0] * 6))
    yield layer("normalization_inverted", lambda: L.Normalization(mean=0.3, variance=2.0, axis=None, invert=True))
    if hasattr(L, "RMSNormalization"):
        yield layer("rms_normalization", L.RMSNormalization)


def pools():
    for kind in ("Max", "Average"):
        for padding in ("valid", "same"):
            yield layer(f"{kind}2d_{padding}", lambda k=kind, p=padding: getattr(L, k + "Pooling2D")(2, padding=p))
            yield layer(f"{kind}2d_{padding}_strides", lambda k=kind, p=padding: getattr(L, k + "Pooling2D")(3, (1, 2), padding=p))
            yield layer(f"{kind}3d_{padding}", lambda k=kind, p=padding: getattr(L, k + "Pooling3D")((2, 3, 2), padding=p), VOLUME)
            yield layer(f"{kind}3d_{padding}_strides", lambda k=kind, p=padding: getattr(L, k + "Pooling3D")(3, (1, 2, 2), padding=p), VOLUME)
            yield layer(f"{kind}1d_{padding}", lambda k=kind, p=padding: getattr(L, k + "Pooling1D")(3, 2, padding=p), LINE)
        for dims, shape in ((1, LINE), (2, IMAGE), (3, VOLUME)):
            yield layer(f"global_{kind}{dims}d", lambda k=kind, d=dims: getattr(L, f"Global{k}Pooling{d}D")(), shape)
        yield layer(f"global_{kind}_keepdims", lambda k=kind: getattr(L, f"Global{k}Pooling2D")(keepdims=True))


def masked(x):
    """Some steps of the noise are zero, and do not count."""
    return L.Masking()(L.ReLU()(L.Reshape((12, 6))(L.ZeroPadding1D((2, 3))(L.Cropping1D((1, 4))(x)))))


def with_state(name):
    def call(x, y):
        states = [y, L.Dense(7)(y)] if name == "LSTM" else y
        return getattr(L, name)(7, return_sequences=True)(x, initial_state=states)

    return call


def with_states(name):
    def call(x, y):
        states = [L.Dense(7)(y) for _ in range(4 if name == "LSTM" else 2)]
        return L.Bidirectional(getattr(L, name)(7))(x, initial_state=states)

    return call


def recurrent():
    noise = keras.initializers.RandomUniform(-0.5, 0.5, seed=5)
    for name in ("SimpleRNN", "LSTM", "GRU"):
        for arguments in ({}, {"return_sequences": True}, {"go_backwards": True}, {"use_bias": False},
                          {"return_sequences": True, "go_backwards": True}):
            suffix = "_".join(arguments) or "last"
            options = dict(arguments) if "use_bias" in arguments else dict(arguments, bias_initializer=noise)
            yield layer(f"{name}_{suffix}", lambda n=name, a=options: getattr(L, n)(7, **a), LINE)
        yield name + "_state", lambda x, n=name: getattr(L, n)(7, return_state=True)(x), [LINE]
        yield layer(f"bidirectional_{name}", lambda n=name: L.Bidirectional(getattr(L, n)(7)), LINE)
        yield layer(f"bidirectional_{name}_sequences",
                    lambda n=name: L.Bidirectional(getattr(L, n)(7, return_sequences=True), merge_mode="sum"), LINE)
        yield (f"{name}_masked", lambda x, n=name: getattr(L, n)(7, bias_initializer=noise)(masked(x)), [LINE])
        yield (f"{name}_masked_sequences",
               lambda x, n=name: getattr(L, n)(7, bias_initializer=noise, return_sequences=True)(masked(x)), [LINE])
        yield (f"{name}_masked_backwards",
               lambda x, n=name: getattr(L, n)(7, bias_initializer=noise, go_backwards=True, return_sequences=True)(masked(x)), [LINE])
        yield f"{name}_masked_twice", lambda x, n=name: getattr(L, n)(3)(L.Dropout(0.1)(getattr(L, n)(7, return_sequences=True)(masked(x)))), [LINE]
        yield f"bidirectional_{name}_masked", lambda x, n=name: L.Bidirectional(getattr(L, n)(7))(masked(x)), [LINE]
        yield (f"bidirectional_{name}_masked_sequences",
               lambda x, n=name: L.Bidirectional(getattr(L, n)(7, return_sequences=True))(masked(x)), [LINE])
        yield f"{name}_initial_state", lambda x, y, n=name: with_state(n)(x, y), [LINE, (7,)]
        yield f"{name}_initial_state_masked", lambda x, y, n=name: with_state(n)(masked(x), y), [LINE, (7,)]
        yield f"bidirectional_{name}_initial_state", lambda x, y, n=name: with_states(n)(x, y), [LINE, (7,)]
    yield layer("lstm_activations", lambda: L.LSTM(7, activation="relu", recurrent_activation="hard_sigmoid"), LINE)
    yield layer("gru_reset_before", lambda: L.GRU(7, reset_after=False, bias_initializer=noise), LINE)
    yield layer("rnn_of_cell", lambda: L.RNN(L.LSTMCell(7), return_sequences=True), LINE)
    cells = lambda: [L.LSTMCell(7, bias_initializer=noise), L.GRUCell(5, bias_initializer=noise), L.LSTMCell(3)]
    yield layer("rnn_of_stacked_cells", lambda: L.RNN(cells(), return_sequences=True), LINE)
    yield layer("rnn_of_stacked_cells_backwards", lambda: L.RNN(cells(), go_backwards=True), LINE)
    yield "rnn_of_stacked_cells_masked", lambda x: L.RNN(cells(), return_sequences=True, zero_output_for_mask=True)(masked(x)), [LINE]
    yield layer("time_distributed_dense", lambda: L.TimeDistributed(L.Dense(4)), LINE)
    yield layer("time_distributed_conv", lambda: L.TimeDistributed(L.Conv2D(4, 3)), VOLUME)


def attention():
    yield "attention", lambda x, y: L.Attention()([x, y]), [LINE, (5, 6)]
    yield "attention_scaled", lambda x, y: L.Attention(use_scale=True)([x, y]), [LINE, (5, 6)]
    yield "additive_attention", lambda x, y: L.AdditiveAttention()([x, y]), [LINE, (5, 6)]
    yield "multi_head", lambda x: L.MultiHeadAttention(2, 4)(x, x), [LINE]
    yield "multi_head_cross", lambda x, y: L.MultiHeadAttention(2, 4, value_dim=3)(x, y), [LINE, (5, 6)]
    yield "attention_causal", lambda x: L.Attention()([x, x], use_causal_mask=True), [LINE]
    yield "attention_masked", lambda x, y: L.Attention()([masked(x), masked(y)]), [LINE, LINE]
    yield "attention_scores", lambda x, y: L.Attention()([x, y], return_attention_scores=True), [LINE, (5, 6)]
    yield "additive_attention_masked", lambda x, y: L.AdditiveAttention()([masked(x), masked(y)]), [LINE, LINE]
    yield "multi_head_causal", lambda x: L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True), [LINE]
    yield "multi_head_masked", lambda x, y: L.MultiHeadAttention(2, 4)(masked(x), masked(y)), [LINE, LINE]
    yield "multi_head_given_mask", lambda x, y: L.MultiHeadAttention(2, 4)(x, x, attention_mask=keras.ops.greater(y, 0)), [LINE, (12, 12)]
    yield "multi_head_scores", lambda x, y: L.MultiHeadAttention(2, 4)(x, y, return_attention_scores=True), [LINE, (5, 6)]
    yield "mean_of_masked", lambda x: L.GlobalAveragePooling1D()(masked(x)), [LINE]
    yield "mean_of_masked_sums", lambda x, y: L.GlobalAveragePooling1D()(L.Add()([masked(x), masked(y)])), [LINE, LINE]
    yield "mean_of_masked_concatenation", lambda x, y: L.GlobalAveragePooling1D()(L.Concatenate()([masked(x), masked(y)])), [LINE, LINE]
    yield "mean_of_unmasked_sum", lambda x, y: L.GlobalAveragePooling1D()(L.Add()([masked(x), y])), [LINE, LINE]
    yield "embedding_masked_lstm", lambda x: L.LSTM(5)(L.Embedding(8, 6, mask_zero=True)(L.ReLU()(x))), [(12,)]
    yield "embedding_masked_mean", lambda x: L.GlobalAveragePooling1D()(L.Embedding(8, 6, mask_zero=True)(L.ReLU()(x))), [(12,)]
    yield "multi_head_no_bias", lambda x: L.MultiHeadAttention(3, 4, use_bias=False, output_shape=5)(x, x), [LINE]


def models():
    def inner():
        return keras.Sequential([L.Dense(5, activation="relu"), L.Dense(3)])

    def functional():
        x = keras.Input(VECTOR)
        return keras.Model(x, L.Add()([L.Dense(4)(x), L.Dense(4)(x)]))

    def twice(x):
        shared = L.Dense(8, activation="tanh")
        return shared(shared(x))

    yield "nested_sequential", lambda x: inner()(x), [VECTOR]
    yield "nested_functional", lambda x: L.Dense(2)(functional()(x)), [VECTOR]
    yield "nested_twice", lambda x: keras.Sequential([inner(), L.Dense(2)])(x), [VECTOR]
    yield "shared_layer", twice, [VECTOR]
    yield "two_outputs", lambda x: [L.Dense(2)(x), L.Dense(3)(x)], [VECTOR]
