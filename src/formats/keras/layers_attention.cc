// Attention: scores, softmax, and the weighted sum of values.
#include <cmath>

#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

// What asks for more than scores of all against all.
bool is_plain(const LayerCall& call) {
  for (const char* key : {"attention_mask", "query_mask", "value_mask", "key_mask", "mask"}) {
    const auto found = call.keywords.find(key);
    if (found != call.keywords.end() &&
        (found->second.value != kNoValue || (found->second.constant != nullptr && !found->second.constant->is_null())))
      return false;
  }
  for (const char* key : {"use_causal_mask", "return_attention_scores"}) {
    const auto found = call.keywords.find(key);
    if (found != call.keywords.end() && found->second.constant != nullptr && *found->second.constant == true)
      return false;
  }
  return !call.context.masks;
}

// x [batch, length, features] by a kernel [features, heads, size] and bias [heads, size]: [batch, heads, length, size].
ValueId heads_of(const LayerCall& call, ValueId x, const char* part, int32_t& size) {
  GraphBuilder& b = call.b;
  LayerWeights weights = call.weights.part(part);
  LayerCall dense(b, call.context, part, call.config, weights);
  const ValueId kernel = dense.weight("kernel");
  const ValueId bias = call.flag("use_bias", true) ? dense.weight("bias") : kNoValue;
  if (!b.ok() || b.rank(kernel) != 3 || b.rank(x) != 3) return call.unsupported("an attention of these ranks");
  const int32_t features = b.dim(kernel, 0), heads = b.dim(kernel, 1);
  size = b.dim(kernel, 2);
  const ValueId flat = b.transpose(b.reshape(kernel, {features, heads * size}), {1, 0});
  const ValueId y = b.fully_connected(x, flat, bias == kNoValue ? kNoValue : b.reshape(bias, {heads * size}));
  const ValueId sizes = b.pack({b.size_of(y, 0), b.size_of(y, 1), b.int_scalar(heads), b.int_scalar(size)}, 0);
  return b.transpose(b.reshape_to(y, sizes), {0, 2, 1, 3});
}

Outputs multi_head_attention(LayerCall& call) {
  GraphBuilder& b = call.b;
  if (!is_plain(call)) return {call.unsupported("a mask, or the attention scores as an output")};
  const auto operand = [&](size_t i, const char* key) -> ValueId {
    if (const auto found = call.keywords.find(key); found != call.keywords.end() && found->second.value != kNoValue)
      return found->second.value;
    return i < call.arguments.size() ? call.in(i) : kNoValue;
  };
  const ValueId query = operand(0, "query");
  ValueId value = operand(1, "value"), key = operand(2, "key");
  if (query == kNoValue || value == kNoValue) return {call.unsupported("no query and value")};
  if (key == kNoValue) key = value;
  int32_t key_size = 1, value_size = 1;
  // The order in which Keras makes the weights: query, key, value, output.
  const ValueId q = heads_of(call, query, "query_dense", key_size);
  const ValueId k = heads_of(call, key, "key_dense", key_size);
  const ValueId v = heads_of(call, value, "value_dense", value_size);
  if (!b.ok()) return {v};
  const ValueId scaled = b.mul(q, b.scalar_like(1 / std::sqrt(static_cast<double>(key_size)), q));
  const ValueId mixed = b.matmul(b.softmax(b.matmul(scaled, k, false, true)), v);
  const ValueId by_length = b.transpose(mixed, {0, 2, 1, 3});
  const int32_t width = b.dim(by_length, 2) * value_size;
  const ValueId flat =
      b.reshape_to(by_length, b.pack({b.size_of(by_length, 0), b.size_of(by_length, 1), b.int_scalar(width)}, 0));
  LayerWeights weights = call.weights.part("output_dense");
  LayerCall dense(b, call.context, "output_dense", call.config, weights);
  const ValueId kernel = dense.weight("kernel");  // [heads, size, out]
  const ValueId bias = call.flag("use_bias", true) ? dense.weight("bias") : kNoValue;
  return {b.fully_connected(flat, b.transpose(b.reshape(kernel, {width, -1}), {1, 0}), bias)};
}

// Keras's Attention: [query, value, key]; dot products, or sums through tanh.
Outputs attention(LayerCall& call) {
  GraphBuilder& b = call.b;
  if (!is_plain(call) || call.flag("causal", false)) return {call.unsupported("a mask, or the scores as an output")};
  const ValueId query = call.in(0), value = call.in(1);
  const ValueId key = call.arguments.size() > 2 && call.arguments[2].value != kNoValue ? call.in(2) : value;
  const bool additive = call.class_name == "AdditiveAttention" || call.text("score_mode", "dot") == "concat";
  ValueId scores;
  if (additive) {
    if (call.class_name != "AdditiveAttention") return {call.unsupported("score_mode concat")};
    const ValueId sum = b.unary(Op::TANH, b.add(b.expand_dims(query, {2}), b.expand_dims(key, {1})));
    const ValueId weighted = call.flag("use_scale", true) ? b.mul(sum, call.weight("scale")) : sum;
    scores = b.reduce(Op::SUM, weighted, {3}, false);
  } else {
    scores = b.matmul(query, key, false, true);
    if (call.flag("use_scale", false)) scores = b.mul(scores, call.weight("scale"));
  }
  return {b.matmul(b.softmax(scores), value)};
}

constexpr LayerEntry kLayers[] = {
    {"AdditiveAttention", attention},
    {"Attention", attention},
    {"MultiHeadAttention", multi_head_attention},
};

}  // namespace

std::span<const LayerEntry> attention_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
