// One call of a Keras layer: its arguments, configuration and weights; and the rules that turn it into operators.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/builder.h"
#include "formats/keras/weights.h"

namespace fewbits::keras {

using Json = nlohmann::json;
using formats::GraphBuilder;

// A tensor, or a number, text or null that the model's configuration holds.
struct Argument {
  ValueId value = kNoValue;
  const Json* constant = nullptr;
};

class Masks;  // masks.h

// What layers need to know of the model around them.
struct ModelContext {
  int keras_major = 3;     // activations mean other things before 3
  Masks* masks = nullptr;  // of the tensors so far; null inside an activation
};

using Outputs = std::vector<ValueId>;

class LayerCall {
 public:
  LayerCall(GraphBuilder& builder, const ModelContext& model, std::string layer_class, const Json& configuration,
            LayerWeights& own_weights)
      : b(builder), context(model), class_name(std::move(layer_class)), config(configuration), weights(own_weights) {}

  GraphBuilder& b;
  const ModelContext& context;
  std::string class_name;
  const Json& config;
  LayerWeights& weights;
  std::vector<Argument> arguments;                        // tensors and constants, lists in order
  std::map<std::string, std::vector<Argument>> keywords;  // a list's elements, or the one thing that a key holds
  bool is_operation = false;  // a function of keras.ops, which broadcasts as numpy does; not a layer of the same name

  // A keyword's one value; null when it is not there or holds a list.
  const Argument* keyword(const std::string& key) const;
  // Argument i as a tensor: numbers become scalars like the first tensor. A builder error when there is none.
  ValueId in(size_t i = 0) const;
  std::vector<ValueId> tensors() const;
  // The mask of argument i, given by name or made by the layers before; kNoValue when all of it counts.
  ValueId mask(size_t i = 0) const;
  // The next weight as a constant; `role` goes into its name.
  ValueId weight(const char* role) const;
  // Sets a builder error: what this layer cannot be said as.
  ValueId unsupported(const std::string& why) const { return b.error(ErrorCode::kUnsupported, why); }

  // The configuration; a key that is not there, or null, gives the second operand.
  std::string text(const char* key, const std::string& otherwise = {}) const;
  bool flag(const char* key, bool otherwise) const;
  double number(const char* key, double otherwise) const;
  int32_t integer(const char* key, int32_t otherwise) const;
  // A list of integers; one number stands for `count` of it.
  std::vector<int32_t> integers(const char* key, size_t count, int32_t otherwise) const;
  bool channels_first() const { return text("data_format", "channels_last") == "channels_first"; }
  // The activation that a key holds: a name, or a layer or function with arguments.
  ValueId activate(ValueId x, const char* key = "activation") const;
};

// x behind an activation given by name or as a configuration; a builder error names one that is not known.
ValueId apply_activation(GraphBuilder& b, const ModelContext& context, ValueId x, const Json& activation);

using LayerRule = Outputs (*)(LayerCall& call);
struct LayerEntry {
  std::string_view class_name;
  LayerRule rule;
};
// The rules of each group, in a file of the same name.
std::span<const LayerEntry> activation_layers() noexcept;
std::span<const LayerEntry> attention_layers() noexcept;
std::span<const LayerEntry> convolution_layers() noexcept;
std::span<const LayerEntry> dense_layers() noexcept;
std::span<const LayerEntry> merge_layers() noexcept;
std::span<const LayerEntry> normalization_layers() noexcept;
std::span<const LayerEntry> operation_layers() noexcept;
std::span<const LayerEntry> pooling_layers() noexcept;
std::span<const LayerEntry> recurrent_layers() noexcept;
std::span<const LayerEntry> shape_layers() noexcept;
// Null: no rule.
LayerRule find_layer(std::string_view class_name) noexcept;

// ---- images in either order ----

// x as [batch, ..., channels], and back.
ValueId to_channels_last(GraphBuilder& b, ValueId x, bool channels_first);
ValueId from_channels_last(GraphBuilder& b, ValueId x, bool channels_first);
// [batch, steps, channels] as an image of height 1, and back.
inline ValueId line_to_image(GraphBuilder& b, ValueId x) { return b.expand_dims(x, {1}); }
inline ValueId image_to_line(GraphBuilder& b, ValueId x) { return b.squeeze(x, {1}); }

}  // namespace fewbits::keras
