// Attention: scores, softmax, and the weighted sum of values.
#include <cmath>

#include "formats/keras/masks.h"

namespace fewbits::keras {
namespace {

bool asks_for(const LayerCall& call, const char* key) {
  const Argument* argument = call.keyword(key);
  return argument != nullptr && argument->constant != nullptr && *argument->constant == true;
}

// A mask that is given by name as a tensor; those of the kinds that no rule follows are an error.
ValueId named_mask(const LayerCall& call, const char* key) {
  const Argument* argument = call.keyword(key);
  return argument == nullptr ? kNoValue : argument->value;
}

// [1, queries, keys]: no query looks at later keys.
ValueId causal_mask(const LayerCall& call, ValueId query, ValueId key) {
  GraphBuilder& b = call.b;
  const int32_t rows = b.dim(query, 1), columns = b.dim(key, 1);
  if (rows < 1 || columns < 1 || int64_t{rows} * columns > (1 << 24))
    return call.unsupported("a causal mask over an open number of steps; give the input's shape");
  std::vector<uint8_t> mask;
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t j = 0; j < columns; ++j) mask.push_back(j <= i);
  }
  return b.constant(std::move(mask), DType::kBool, {1, rows, columns});
}

// [batch, queries or 1, keys] from the masks of each, of keys [batch, keys].
ValueId of_keys(GraphBuilder& b, ValueId mask) { return mask == kNoValue ? kNoValue : b.expand_dims(mask, {1}); }

// Softmax over what the mask leaves. The mask has the scores' rank. Rows of which nothing is left are even; zero where Keras
// shows the scores, which it then computes in another way.
ValueId masked_softmax(GraphBuilder& b, ValueId scores, ValueId mask, bool shown) {
  if (mask == kNoValue) return b.softmax(scores);
  const ValueId y = b.softmax(b.select(mask, scores, b.scalar_like(-1e9, scores)));
  return shown ? where_counted(b, mask, y) : y;
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
  for (const char* key : {"query_mask", "value_mask", "key_mask"}) {
    if (named_mask(call, key) != kNoValue) return {call.unsupported(fmt::format("{} as an argument", key))};
  }
  const auto operand = [&](size_t i, const char* key) -> ValueId {
    if (const Argument* found = call.keyword(key); found != nullptr && found->value != kNoValue) return found->value;
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
  const auto mask_of = [&](ValueId tensor) { return call.context.masks->of(tensor); };
  ValueId mask = both(b, of_keys(b, mask_of(value)), key == value ? kNoValue : of_keys(b, mask_of(key)));
  if (const ValueId of_query = mask_of(query); of_query != kNoValue) mask = both(b, mask, b.expand_dims(of_query, {2}));
  if (asks_for(call, "use_causal_mask")) mask = both(b, mask, causal_mask(call, query, value));
  if (const ValueId given = named_mask(call, "attention_mask"); given != kNoValue) {
    if (b.rank(given) != 3) return {call.unsupported("an attention_mask that is not [batch, queries, keys]")};
    mask =
        both(b, mask, b.dtype(given) == DType::kBool ? given : b.binary(Op::NOT_EQUAL, given, b.scalar_like(0, given)));
  }
  if (mask != kNoValue) mask = b.expand_dims(mask, {1});
  const ValueId scaled = b.mul(q, b.scalar_like(1 / std::sqrt(static_cast<double>(key_size)), q));
  const bool shown = asks_for(call, "return_attention_scores");
  const ValueId weights_of_keys = masked_softmax(b, b.matmul(scaled, k, false, true), mask, shown);
  const ValueId mixed = b.matmul(weights_of_keys, v);
  const ValueId by_length = b.transpose(mixed, {0, 2, 1, 3});
  const int32_t width = b.dim(by_length, 2) * value_size;
  const ValueId flat =
      b.reshape_to(by_length, b.pack({b.size_of(by_length, 0), b.size_of(by_length, 1), b.int_scalar(width)}, 0));
  LayerWeights weights = call.weights.part("output_dense");
  LayerCall dense(b, call.context, "output_dense", call.config, weights);
  const ValueId kernel = dense.weight("kernel");  // [heads, size, out]
  const ValueId bias = call.flag("use_bias", true) ? dense.weight("bias") : kNoValue;
  Outputs out{b.fully_connected(flat, b.transpose(b.reshape(kernel, {width, -1}), {1, 0}), bias)};
  if (shown) out.push_back(weights_of_keys);
  return out;
}

// Keras's Attention: [query, value, key]; dot products, or sums through tanh.
Outputs attention(LayerCall& call) {
  GraphBuilder& b = call.b;
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
  // Masked scores sink by 1e9, which leaves a row of them as it was.
  ValueId mask = of_keys(b, call.mask(1));
  if (call.flag("causal", false) || asks_for(call, "use_causal_mask"))
    mask = both(b, mask, causal_mask(call, query, value));
  if (mask != kNoValue) scores = b.select(mask, scores, b.sub(scores, b.scalar_like(1e9, scores)));
  const ValueId weights = b.softmax(scores);
  ValueId y = b.matmul(weights, value);
  if (const ValueId of_query = call.mask(0); of_query != kNoValue)
    y = where_counted(b, b.expand_dims(of_query, {2}), y);
  Outputs out{y};
  if (asks_for(call, "return_attention_scores")) out.push_back(weights);
  return out;
}

constexpr LayerEntry kLayers[] = {
    {"AdditiveAttention", attention},
    {"Attention", attention},
    {"MultiHeadAttention", multi_head_attention},
};

}  // namespace

std::span<const LayerEntry> attention_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
