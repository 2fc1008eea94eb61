// Models: reading, writing, looking into them. A model is immutable once it is loaded, and any thread may use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fewbits/status.h"
#include "fewbits/types.h"

namespace fewbits {

struct Model;  // its inside is no part of the API
using ModelPtr = std::shared_ptr<const Model>;

// Reads a .tflite file (schema version 3). Weights stay views of the file, which is mapped: do not change it in place while the
// model lives. Any bytes are safe to give. Errors: kNotFound, kIo, kInvalidModel for what breaks the format's rules.
Result<ModelPtr> load_model(const std::string& path);
// The same from memory; the bytes are copied. `name` stands for the path in messages.
Result<ModelPtr> load_model_bytes(std::span<const uint8_t> bytes, const std::string& name = "model");

// Writes a .tflite file that stock LiteRT loads, through a temporary that is renamed at the end: `path` is old or complete.
Status save_model(const Model& model, const std::string& path);
Result<std::vector<uint8_t>> model_bytes(const Model& model);

// ---- what is in a model, as plain data ----

// One way into a model or out of it.
struct TensorSpec {
  std::string name;            // the tensor's
  std::string signature_name;  // its name in the signature; may be empty
  DType dtype = DType::kFloat32;
  Shape shape;      // with the batch dimension; -1 where the size is dynamic
  float scale = 0;  // above 0: integers stand for scale * (q - zero_point)
  int64_t zero_point = 0;

  // The name that users call it by: the signature's where there is one.
  const std::string& label() const noexcept { return signature_name.empty() ? name : signature_name; }
};

struct SignatureDescription {
  std::string key;
  int32_t subgraph = 0;
  std::vector<TensorSpec> inputs, outputs;  // in the order of the subgraph's
};

struct TensorDescription {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;            // -1 where dynamic
  Shape file_shape;       // that the file gives: usually 1 where dynamic
  bool constant = false;  // has its values in the file
  bool variable = false;  // state that is kept between runs
  bool sparse = false;
  size_t bytes = 0;  // that its values take in the file
  // Affine quantization, empty when there is none: one scale, or one for each index of dimension `axis`.
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int32_t axis = 0;
};

struct OperatorDescription {
  int32_t index = 0;
  std::string type;  // "CONV_2D", or a custom operator's own code
  int32_t version = 1;
  std::vector<int32_t> inputs, outputs;  // indices of the subgraph's tensors; -1: an optional operand that is left out
  size_t constant_bytes = 0;             // of constants that no operator before it has
};

struct SubgraphDescription {
  std::string name;
  std::vector<int32_t> inputs, outputs;
  std::vector<TensorDescription> tensors;
  std::vector<OperatorDescription> operators;  // in the order in which they run
};

struct MetadataDescription {
  std::string name;
  size_t bytes = 0;
};

struct ModelDescription {
  std::string path;
  std::string description;
  std::vector<SubgraphDescription> subgraphs;  // the first is the main one
  std::vector<SignatureDescription> signatures;
  std::vector<MetadataDescription> metadata;
  size_t constant_bytes = 0;  // of all constants, shared ones counted once
  size_t trailer_bytes = 0;   // of a zip archive behind the model (task metadata)
};

ModelDescription describe_model(const Model& model);

// What is known of an operator, whatever model it stands in.
struct OperatorSupport {
  enum class Weights {
    kNone,    // has none, or keeps them in float
    kStored,  // constants are stored in int8 and computed in float
    kHybrid,  // int8 constants are multiplied by activations that become int8 on the fly
  };
  std::string type;  // "CONV_2D", or a custom operator's own code
  bool custom = false;
  int min_inputs = 1, max_inputs = 1;  // max_inputs is -1 where any number goes
  bool int8 = false, int16 = false;    // forms of integer activations that quantization may give it
  Weights weights = Weights::kNone;    // what the weights mode does
};
// Every operator that fewbits runs, by type.
std::vector<OperatorSupport> describe_operators();

// A constant's values as the file has them: integers are not turned into the real numbers that they stand for. kInvalidArgument
// for what is no constant, kUnsupported for values that the file stores sparse.
Result<Array> constant_array(const Model& model, int32_t subgraph, int32_t tensor);

// The ways in and out of a signature, or, when `signature` is empty, of the first signature there is, else of the main subgraph.
// kNotFound lists the signatures.
Result<SignatureDescription> describe_signature(const Model& model, const std::string& signature = {});

}  // namespace fewbits
