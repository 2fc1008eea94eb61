// Keras 3 writes a call's arguments as they were, Keras 1 and 2 as lists of [layer, call, output].
#include "formats/keras/model.h"

#include <algorithm>
#include <optional>

#include "formats/keras/masks.h"

namespace fewbits::keras {
namespace {

constexpr int kMaxDepth = 20;  // of models inside models

std::string text_of(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}
const Json& child(const Json& json, const char* key) {
  static const Json kNull;
  return json.is_object() && json.contains(key) ? json[key] : kNull;
}
const Json& layers_of(const Json& config) { return config.is_array() ? config : child(config, "layers"); }

std::string name_of(const Json& layer) {
  const std::string name = text_of(layer, "name");
  return name.empty() ? text_of(child(layer, "config"), "name") : name;
}

bool is_model(const std::string& class_name) {
  return class_name == "Functional" || class_name == "Model" || class_name == "Sequential";
}
// A function of keras.ops. An .h5 file has no modules: there a layer has a type or says whether it is trained, a function not.
bool is_operation(const Json& layer) {
  if (layer.is_object() && layer.contains("module")) return text_of(layer, "module").rfind("keras.src.ops", 0) == 0;
  const Json& config = child(layer, "config");
  return config.is_object() && !is_model(text_of(layer, "class_name")) && !config.contains("trainable") &&
         !config.contains("dtype");
}

// One output of one call of a layer.
struct TensorRef {
  std::string layer;
  int64_t call = 0, output = 0;
};
std::optional<TensorRef> tensor_ref(const Json& json) {
  if (!json.is_array() || json.size() < 3 || !json[0].is_string() || !json[1].is_number_integer() ||
      !json[2].is_number_integer())
    return std::nullopt;
  return TensorRef{json[0].get<std::string>(), json[1].get<int64_t>(), json[2].get<int64_t>()};
}

// The ends of a model: one reference, a list of them, or a dictionary.
void collect_refs(const Json& json, std::vector<TensorRef>& out, int depth = 0) {
  if (const auto ref = tensor_ref(json)) {
    out.push_back(*ref);
  } else if ((json.is_array() || json.is_object()) && depth < kMaxDepth) {
    for (const Json& element : json) collect_refs(element, out, depth + 1);
  }
}

Shape shape_from(const Json& json) {
  Shape shape;
  if (!json.is_array()) return shape;
  for (const Json& size : json) shape.push_back(size.is_number_integer() ? size.get<int32_t>() : -1);
  return shape;
}

// The shape that a layer's configuration gives an input, batch first; null when it gives none.
const Json& input_shape(const Json& config) {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    if (child(config, key).is_array()) return child(config, key);
  }
  return child(config, "no such key");
}

// Layers that compute something else in training; Keras writes training=True on others, too.
bool trains(const std::string& class_name) {
  for (const char* part : {"Dropout", "Noise", "Random", "BatchNormalization"}) {
    if (class_name.find(part) != std::string::npos) return true;
  }
  return is_model(class_name);
}

class Walker {
 public:
  Walker(GraphBuilder& b, const ModelContext& context, const formats::ImportOptions& options, std::string what)
      : b_(b), context_(context), options_(options), what_(std::move(what)) {}

  // The outputs of a model. `given`: its inputs; null at the top, where InputLayers make the graph's.
  Result<Outputs> run(const std::string& class_name, const Json& config, const WeightScope& scope,
                      const std::vector<ValueId>* given, int depth) {
    if (depth > kMaxDepth) return fail(ErrorCode::kInvalidModel, "{}: models nest too deeply", what_);
    if (class_name == "Sequential" || config.is_array()) return run_sequential(config, scope, given, depth);
    return run_functional(config, scope, given, depth);
  }

  const std::vector<SignatureTensor>& inputs() const { return inputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }

 private:
  using Made = std::map<std::pair<std::string, int64_t>, Outputs>;  // by layer and call

  struct Call {
    const Json* layer = nullptr;
    int64_t index = 0;  // among the calls of its layer
    const Json* node = nullptr;
    size_t place = 0;  // of the layer among the layers
  };

  Result<Outputs> run_sequential(const Json& config, const WeightScope& scope, const std::vector<ValueId>* given,
                                 int depth) {
    const Json& layers = layers_of(config);
    if (!layers.is_array() || layers.empty())
      return fail(ErrorCode::kInvalidModel, "{}: a model without layers", what_);
    const std::vector<std::string> groups = groups_of(layers);
    Outputs values;
    if (given != nullptr) values = *given;
    for (size_t i = 0; i < layers.size(); ++i) {
      const Json& layer = layers[i];
      const bool is_input = text_of(layer, "class_name") == "InputLayer";
      if (values.empty()) {
        const Json* shape = &input_shape(child(layer, "config"));
        if (!shape->is_array()) shape = &child(config, "build_input_shape");
        FB_ASSIGN(const ValueId id, make_input(layer, *shape, is_input ? name_of(layer) : name_of(layer) + "_input"));
        values = {id};
      }
      if (is_input) continue;
      std::vector<Argument> arguments;
      for (ValueId id : values) arguments.push_back({id, nullptr});
      FB_ASSIGN(values, run_layer(layer, arguments, {}, scope, groups[i], depth));
    }
    if (given == nullptr) output_names_ = {name_of(layers.back())};
    return values;
  }

  Result<Outputs> run_functional(const Json& config, const WeightScope& scope, const std::vector<ValueId>* given,
                                 int depth) {
    const Json& layers = layers_of(config);
    if (!layers.is_array() || layers.empty())
      return fail(ErrorCode::kInvalidModel, "{}: a model without layers", what_);
    const std::vector<std::string> groups = groups_of(layers);
    std::vector<TensorRef> in_refs, out_refs;
    collect_refs(child(config, "input_layers"), in_refs);
    collect_refs(child(config, "output_layers"), out_refs);
    if (given != nullptr && given->size() != in_refs.size())
      return fail(ErrorCode::kInvalidModel, "{}: a model of {} inputs gets {}", what_, in_refs.size(), given->size());
    Made made;
    for (size_t i = 0; i < in_refs.size(); ++i) {
      if (given != nullptr) {
        made[{in_refs[i].layer, in_refs[i].call}] = {(*given)[i]};
        continue;
      }
      const auto layer =
          std::find_if(layers.begin(), layers.end(), [&](const Json& l) { return name_of(l) == in_refs[i].layer; });
      if (layer == layers.end())
        return fail(ErrorCode::kInvalidModel, "{}: has no input layer '{}'", what_, in_refs[i].layer);
      FB_ASSIGN(const ValueId id, make_input(*layer, input_shape(child(*layer, "config")), in_refs[i].layer));
      made[{in_refs[i].layer, in_refs[i].call}] = {id};
    }
    std::vector<Call> calls;
    for (size_t i = 0; i < layers.size(); ++i) {
      int64_t index = 0;
      const Json& nodes = child(layers[i], "inbound_nodes");
      if (!nodes.is_array()) continue;
      for (const Json& node : nodes) calls.push_back({&layers[i], index++, &node, i});
    }
    FB_TRY(run_calls(calls, groups, scope, depth, made));
    Outputs outputs;
    for (const TensorRef& ref : out_refs) {
      const auto found = made.find({ref.layer, ref.call});
      if (found == made.end() || ref.output < 0 || static_cast<size_t>(ref.output) >= found->second.size())
        return fail(ErrorCode::kInvalidModel, "{}: the output '{}' is never made", what_, ref.layer);
      outputs.push_back(found->second[static_cast<size_t>(ref.output)]);
      if (given == nullptr) output_names_.push_back(ref.layer);
    }
    return outputs;
  }

  // Calls whose arguments are there, until none is left.
  Status run_calls(std::vector<Call> calls, const std::vector<std::string>& groups, const WeightScope& scope, int depth,
                   Made& made) {
    while (!calls.empty()) {
      std::vector<Call> later;
      for (const Call& call : calls) {
        const std::string name = name_of(*call.layer);
        if (made.count({name, call.index}) != 0) continue;
        std::vector<Argument> arguments;
        std::map<std::string, std::vector<Argument>> keywords;
        FB_ASSIGN(const bool ready, arguments_of(*call.node, made, arguments, keywords));
        if (!ready) {
          later.push_back(call);
          continue;
        }
        FB_ASSIGN(Outputs outputs, run_layer(*call.layer, arguments, keywords, scope, groups[call.place], depth));
        made[{name, call.index}] = std::move(outputs);
      }
      if (later.size() == calls.size())
        return fail(ErrorCode::kInvalidModel, "{}: the layer '{}' waits for what is never made", what_,
                    name_of(*later[0].layer));
      calls = std::move(later);
    }
    return {};
  }

  // Adds what `json` holds to the arguments; false while a tensor of it is not made yet.
  Result<bool> add_argument(const Json& json, const Made& made, std::vector<Argument>& out, int depth = 0) const {
    const Json* history = nullptr;
    if (json.is_object() && text_of(json, "class_name") == "__keras_tensor__")
      history = &child(child(json, "config"), "keras_history");
    if (json.is_array() && !json.empty() && json[0].is_string()) {
      if (json.size() >= 3 && json[0] == "_CONSTANT_VALUE") {
        out.push_back({kNoValue, &json[2]});
        return true;
      }
      history = &json;
    }
    if (history != nullptr) {
      const auto ref = tensor_ref(*history);
      if (!ref) {
        out.push_back({kNoValue, &json});
        return true;
      }
      const auto found = made.find({ref->layer, ref->call});
      if (found == made.end()) return false;
      if (ref->output < 0 || static_cast<size_t>(ref->output) >= found->second.size())
        return fail(ErrorCode::kInvalidModel, "{}: the layer '{}' has no output {}", what_, ref->layer, ref->output);
      out.push_back({found->second[static_cast<size_t>(ref->output)], nullptr});
      return true;
    }
    if (json.is_array() && depth < kMaxDepth) {
      for (const Json& element : json) {
        FB_ASSIGN(const bool ready, add_argument(element, made, out, depth + 1));
        if (!ready) return false;
      }
      return true;
    }
    out.push_back({kNoValue, &json});
    return true;
  }

  Result<bool> add_keywords(const Json& json, const Made& made,
                            std::map<std::string, std::vector<Argument>>& out) const {
    if (!json.is_object()) return true;
    for (const auto& [key, value] : json.items()) {
      std::vector<Argument> values;
      FB_ASSIGN(const bool ready, add_argument(value, made, values));
      if (!ready) return false;
      out[key] = std::move(values);
    }
    return true;
  }

  Result<bool> arguments_of(const Json& node, const Made& made, std::vector<Argument>& arguments,
                            std::map<std::string, std::vector<Argument>>& keywords) const {
    if (node.is_object()) {
      FB_ASSIGN(const bool ready, add_argument(child(node, "args"), made, arguments));
      if (!ready) return false;
      return add_keywords(child(node, "kwargs"), made, keywords);
    }
    // [[layer, call, output, {keywords}], ...], or one of them alone.
    if (!node.is_array()) return fail(ErrorCode::kInvalidModel, "{}: a layer's inputs cannot be read", what_);
    const bool alone = !node.empty() && node[0].is_string();
    for (size_t i = 0; i < (alone ? 1 : node.size()); ++i) {
      const Json& element = alone ? node : node[i];
      FB_ASSIGN(const bool ready, add_argument(element, made, arguments));
      if (!ready) return false;
      if (element.is_array() && element.size() >= 4) {
        FB_ASSIGN(const bool known, add_keywords(element[3], made, keywords));
        if (!known) return false;
      }
    }
    return true;
  }

  Result<ValueId> make_input(const Json& layer, const Json& shape_json, const std::string& name) {
    const Json& config = child(layer, "config");
    Shape shape = shape_from(shape_json);
    if (const auto given = options_.shapes.find(name); given != options_.shapes.end()) {
      shape = given->second;
    } else if (!shape_json.is_array()) {
      return fail(ErrorCode::kInvalidArgument, "{}: the shape of its input is not known; give it with --shape {}=...",
                  what_, name);
    }
    const std::string type = text_of(config, "dtype");
    const auto dtype = dtype_from_name(type.empty() ? "float32" : type);
    if (!dtype || *dtype == DType::kString)
      return fail(ErrorCode::kUnsupported, "{}: the input '{}' is of type {}", what_, name, type);
    const ValueId id = b_.input(name, *dtype, shape, formats::usual_symbols(shape));
    inputs_.push_back({name, id});
    return id;
  }

  // The groups of a .keras file: by class, numbered from the second of a class on. Operations are no layers.
  static std::vector<std::string> groups_of(const Json& layers) {
    std::vector<std::string> out;
    std::map<std::string, int> seen;
    for (const Json& layer : layers) {
      if (is_operation(layer)) {
        out.emplace_back();
        continue;
      }
      const std::string name = snake_case(text_of(layer, "class_name"));
      const int before = seen[name]++;
      out.push_back(before == 0 ? name : fmt::format("{}_{}", name, before));
    }
    return out;
  }

  // Tensors by name that no rule looks at, and training at run time, would change what the layer computes.
  Status check_keywords(const Json& layer, const std::map<std::string, std::vector<Argument>>& keywords) const {
    static const std::set<std::string> kRead = {"query",          "value",      "key",      "initial_state",
                                                "attention_mask", "query_mask", "key_mask", "value_mask",
                                                "mask",           "y",          "b"};
    const auto refused = [&](const std::string& why) {
      return fail(ErrorCode::kUnsupported, "{}: '{}' ({}): {}", what_, name_of(layer), text_of(layer, "class_name"),
                  why);
    };
    for (const auto& [key, values] : keywords) {
      for (const Argument& value : values) {
        if (value.value != kNoValue && kRead.count(key) == 0) return refused("a tensor as its argument '" + key + "'");
        if (key == "training" && trains(text_of(layer, "class_name")) && value.constant != nullptr &&
            *value.constant == true)
          return refused("training=True; build the model for inference");
      }
    }
    return {};
  }

  Result<Outputs> run_layer(const Json& layer, const std::vector<Argument>& arguments,
                            const std::map<std::string, std::vector<Argument>>& keywords, const WeightScope& scope,
                            const std::string& group, int depth) {
    const std::string class_name = text_of(layer, "class_name"), name = name_of(layer);
    const Json& config = child(layer, "config");
    LayerWeights weights;
    if (scope.by_place) {
      weights = LayerWeights(scope.file, scope.root + "/" + group);
    } else if (scope.parent != nullptr) {
      weights = scope.parent->of_layer(name);
    } else {
      FB_ASSIGN(weights, h5_layer_weights(scope.file, scope.root, name));
    }
    if (is_model(class_name)) {
      std::vector<ValueId> values;
      for (const Argument& argument : arguments) {
        if (argument.value != kNoValue) values.push_back(argument.value);
      }
      FB_TRY(check_keywords(layer, keywords));
      WeightScope inner = scope;
      inner.root = scope.root + "/" + group + "/layers";
      inner.parent = scope.by_place ? nullptr : &weights;
      return run(class_name, config, inner, &values, depth + 1);
    }
    const LayerRule rule = find_layer(class_name);
    if (rule == nullptr) return fail(ErrorCode::kUnsupported, "{}: '{}' ({}) is not known", what_, name, class_name);
    FB_TRY(check_keywords(layer, keywords));
    if (std::none_of(arguments.begin(), arguments.end(), [](const Argument& a) { return a.value != kNoValue; }))
      return fail(ErrorCode::kInvalidModel, "{}: '{}' ({}) gets no tensor", what_, name, class_name);
    b_.set_scope(name);
    LayerCall call(b_, context_, class_name, config, weights);
    call.arguments = arguments;
    call.keywords = keywords;
    call.is_operation = is_operation(layer);
    const size_t values = b_.graph().value_count(), nodes = b_.graph().node_count();
    Outputs outputs = rule(call);
    context_.masks->pass_on(call, outputs);
    b_.release_unread(values, nodes, outputs);
    if (!b_.ok()) return with_context(b_.status().error(), fmt::format("{}: '{}' ({})", what_, name, class_name));
    return outputs;
  }

  GraphBuilder& b_;
  const ModelContext& context_;
  const formats::ImportOptions& options_;
  std::string what_;
  std::vector<SignatureTensor> inputs_;
  std::vector<std::string> output_names_;
};

// Every layer that no rule knows.
void survey(const Json& config, std::set<std::string>& unknown, int depth = 0) {
  const Json& layers = layers_of(config);
  if (!layers.is_array() || depth > kMaxDepth) return;
  for (const Json& layer : layers) {
    const std::string class_name = text_of(layer, "class_name");
    const Json& own = child(layer, "config");
    if (is_model(class_name)) {
      survey(own, unknown, depth + 1);
    } else if (class_name != "InputLayer" && find_layer(class_name) == nullptr) {
      unknown.insert(fmt::format("'{}' ({})", name_of(layer), class_name));
    }
  }
}

}  // namespace

Result<formats::Imported> convert_model(const Json& model_json, const WeightScope& scope, int keras_major,
                                        const formats::ImportOptions& options, const std::string& what) {
  const std::string class_name = text_of(model_json, "class_name");
  const Json& config = child(model_json, "config");
  if (!is_model(class_name)) {
    return fail(ErrorCode::kUnsupported,
                "{}: a model of the class '{}', whose code is not in the file; save a Functional or Sequential model, "
                "or export a "
                "SavedModel with model.export()",
                what, class_name);
  }
  ModelContext context;
  Masks masks;
  context.keras_major = keras_major;
  context.masks = &masks;
  std::set<std::string> unknown;
  survey(config, unknown);
  if (!unknown.empty()) {
    return fail(ErrorCode::kUnsupported,
                "{}: {} of its layers are not known: {}; export a SavedModel with model.export(), whose operators are",
                what, unknown.size(), fmt::join(unknown, ", "));
  }
  formats::Imported out;
  out.model.path = what;
  out.model.graphs.emplace_back();
  out.model.graphs[0].name = "main";
  GraphBuilder b(out.model, 0);
  Walker walker(b, context, options, what);
  FB_ASSIGN(const Outputs outputs, walker.run(class_name, config, scope, nullptr, 0));
  Signature signature;
  signature.key = "serving_default";
  signature.inputs = walker.inputs();
  std::map<std::string, int> seen;
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string name = i < walker.output_names().size() ? walker.output_names()[i] : fmt::format("output_{}", i);
    if (const int before = seen[name]++; before > 0) name += fmt::format("_{}", before);
    signature.outputs.push_back({name, b.output(outputs[i], name)});
  }
  FB_TRY(b.finish());
  out.model.signatures.push_back(std::move(signature));
  return out;
}

}  // namespace fewbits::keras
