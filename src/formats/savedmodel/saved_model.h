// Opens what TensorFlow saved: a SavedModel folder, its saved_model.pb, or a frozen GraphDef; and finds the graph, the ways in
// and out of the chosen signature, and where each variable's values are.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/savedmodel/body.h"
#include "formats/savedmodel/bundle.h"
#include "formats/savedmodel/tensorflow.pb.h"

namespace fewbits::savedmodel {

struct OpenOptions {
  std::vector<std::string> tags;  // of the graph to take; empty: "serve", or the only graph there is
  std::string signature;          // empty: "serving_default", or the only signature there is
};

// One way in or out: the name that users call it by, and the tensor in the graph ("node:0").
struct Endpoint {
  std::string key;
  std::string tensor;
  tf::DataType dtype = tf::DT_INVALID;          // DT_INVALID: not said
  const tf::TensorShapeProto* shape = nullptr;  // null: not said
};

struct SourceGraph {
  std::string path;                        // for messages
  std::string signature;                   // empty for a GraphDef
  std::shared_ptr<const void> owner;       // keeps the messages below alive
  std::shared_ptr<const MappedFile> file;  // that `graph` views, or null
  GraphView graph;
  const tf::OpList* ops = nullptr;        // the operators' definitions that the file brings; null: none
  std::vector<Endpoint> inputs, outputs;  // by key
  std::optional<TensorBundle> bundle;
  std::map<std::string, std::string> variable_keys;  // name of the variable's node -> key in the bundle
};

// `path`: a folder that holds saved_model.pb, or a .pb file.
Result<SourceGraph> open_source(const std::string& path, const OpenOptions& options);
// A saved_model.pb or GraphDef from memory, which must outlive the result, without variables.
Result<SourceGraph> parse_source(std::span<const uint8_t> bytes, const std::string& path, const OpenOptions& options);

}  // namespace fewbits::savedmodel
