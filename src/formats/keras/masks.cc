// Masks of time steps.
#include "formats/keras/masks.h"

#include <algorithm>
#include <set>

namespace fewbits::keras {
namespace {

// Layers whose output has the mask of their (first) input: those that work on each step alone, and those that say so.
bool keeps_mask(const LayerCall& call) {
  static const std::set<std::string_view> kKeep = {"Activation",
                                                   "ActivityRegularization",
                                                   "AlphaDropout",
                                                   "Attention",
                                                   "AdditiveAttention",
                                                   "BatchNormalization",
                                                   "BatchNormalizationV1",
                                                   "BatchNormalizationV2",
                                                   "SyncBatchNormalization",
                                                   "Dense",
                                                   "Dropout",
                                                   "ELU",
                                                   "GaussianDropout",
                                                   "GaussianNoise",
                                                   "GroupNormalization",
                                                   "Identity",
                                                   "LayerNormalization",
                                                   "LeakyReLU",
                                                   "Masking",
                                                   "MultiHeadAttention",
                                                   "Normalization",
                                                   "PReLU",
                                                   "ReLU",
                                                   "Rescaling",
                                                   "SpatialDropout1D",
                                                   "SpatialDropout2D",
                                                   "SpatialDropout3D",
                                                   "ThresholdedReLU",
                                                   "TimeDistributed",
                                                   "UnitNormalization"};
  static const std::set<std::string_view> kSequences = {"GRU", "LSTM", "RNN", "SimpleRNN"};
  if (kKeep.count(call.class_name) != 0) return true;
  return kSequences.count(call.class_name) != 0 && call.flag("return_sequences", false);
}

bool is_merge(const LayerCall& call) {
  static const std::set<std::string_view> kMerges = {"Add",     "Average",  "Concatenate", "Maximum",
                                                     "Minimum", "Multiply", "Subtract"};
  return !call.is_operation && kMerges.count(call.class_name) != 0;
}

// Whether the layer that Bidirectional wraps gives sequences.
bool wraps_sequences(const LayerCall& call) {
  const auto layer = call.config.find("layer");
  if (call.class_name != "Bidirectional" || layer == call.config.end() || !layer->is_object()) return false;
  const auto config = layer->find("config");
  return config != layer->end() && config->is_object() && config->contains("return_sequences") &&
         (*config)["return_sequences"] == true;
}

// Steps that are one number throughout do not count, and become zero.
Outputs masking(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const int rank = b.rank(x);
  if (rank < 2 || call.context.masks == nullptr) return {call.unsupported("an input without steps")};
  const ValueId differs = b.binary(Op::NOT_EQUAL, x, b.scalar_like(call.number("mask_value", 0), x));
  const ValueId any = b.reduce(Op::REDUCE_ANY, differs, {rank - 1}, true);
  const ValueId y = where_counted(b, any, x);
  call.context.masks->set(y, b.squeeze(any, {rank - 1}));
  return {y};
}

constexpr LayerEntry kLayers[] = {
    {"Masking", masking},
};

}  // namespace

ValueId Masks::of(ValueId tensor) const {
  const auto found = masks_.find(tensor);
  return found == masks_.end() ? kNoValue : found->second;
}

// A step of a merge counts where it does in any input; of a concatenation the same, and inputs without a mask count everywhere.
ValueId Masks::merged(const LayerCall& call) const {
  std::vector<ValueId> masks;
  for (const Argument& argument : call.arguments) {
    const ValueId mask = of(argument.value);
    if (mask == kNoValue) return kNoValue;
    if (std::find(masks.begin(), masks.end(), mask) == masks.end()) masks.push_back(mask);
  }
  ValueId all = masks.empty() ? kNoValue : masks[0];
  for (size_t i = 1; i < masks.size(); ++i) all = call.b.binary(Op::LOGICAL_OR, all, masks[i]);
  return all;
}

void Masks::pass_on(const LayerCall& call, const Outputs& outputs) {
  if (masks_.empty() || outputs.empty() || call.arguments.empty() || of(outputs[0]) != kNoValue) return;
  ValueId mask = kNoValue;
  if (is_merge(call)) {
    mask = merged(call);
    if (call.class_name == "Concatenate" && mask != kNoValue) {
      const int rank = call.b.rank(outputs[0]);
      const int axis = call.integer("axis", -1);
      if (axis != -1 && axis != rank - 1) call.unsupported("a concatenation of masked steps along them");
    }
  } else if (keeps_mask(call) || wraps_sequences(call)) {
    mask = of(call.arguments[0].value);
  }
  if (mask != kNoValue) set(outputs[0], mask);
}

ValueId both(GraphBuilder& b, ValueId mask, ValueId other) {
  if (mask == kNoValue) return other;
  return other == kNoValue ? mask : b.binary(Op::LOGICAL_AND, mask, other);
}

ValueId where_counted(GraphBuilder& b, ValueId mask, ValueId x) { return b.select(mask, x, b.scalar_like(0, x)); }

std::span<const LayerEntry> mask_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
