// Dense layers, tables of vectors, and what passes its input on at inference.
#include "formats/einsum.h"
#include "formats/keras/masks.h"

namespace fewbits::keras {
namespace {

Outputs dense(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId kernel = call.weight("kernel");  // [in, out]
  const ValueId bias = call.flag("use_bias", true) ? call.weight("bias") : kNoValue;
  return {call.activate(b.fully_connected(call.in(), b.transpose(kernel, {1, 0}), bias))};
}

Outputs einsum_dense(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId kernel = call.weight("kernel");
  ValueId y = formats::einsum(b, call.text("equation", ""), {call.in(), kernel});
  // The bias has a dimension of one wherever it is the same.
  if (call.config.contains("bias_axes") && call.config["bias_axes"].is_string()) y = b.add(y, call.weight("bias"));
  return {call.activate(y)};
}

Outputs embedding(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId ids = b.cast(call.in(), DType::kInt32);
  const ValueId y = b.gather(call.weight("embeddings"), ids, 0);
  if (call.flag("mask_zero", false) && call.context.masks != nullptr) {
    call.context.masks->set(y, b.binary(Op::NOT_EQUAL, ids, b.scalar_like(0, ids)));
  }
  return {y};
}

Outputs pass_on(LayerCall& call) { return {call.in()}; }

constexpr LayerEntry kLayers[] = {
    {"ActivityRegularization", pass_on},
    {"AlphaDropout", pass_on},
    {"AugMix", pass_on},
    {"Dense", dense},
    {"Dropout", pass_on},
    {"EinsumDense", einsum_dense},
    {"Embedding", embedding},
    {"GaussianDropout", pass_on},
    {"GaussianNoise", pass_on},
    {"Identity", pass_on},
    {"RandAugment", pass_on},
    {"RandomBrightness", pass_on},
    {"RandomContrast", pass_on},
    {"RandomFlip", pass_on},
    {"RandomRotation", pass_on},
    {"RandomTranslation", pass_on},
    {"RandomZoom", pass_on},
    {"SpatialDropout1D", pass_on},
    {"SpatialDropout2D", pass_on},
    {"SpatialDropout3D", pass_on},
};

}  // namespace

std::span<const LayerEntry> dense_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
