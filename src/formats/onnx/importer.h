// Walks an ONNX graph and writes TFLite operators: what the op tables (ops_*.cc) work with.
//
// One entry an ONNX operator: a function that reads inputs and attributes from a Call, builds with its GraphBuilder, and sets
// outputs. Values keep ONNX's layout (NCHW); where TFLite's operator wants NHWC, the function writes transposes around it.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "formats/builder.h"
#include "formats/import.h"
#include "formats/onnx/tensors.h"

namespace fewbits::onnx {

using formats::Activation;
using formats::GraphBuilder;
using formats::Window;

class Importer;

// One node being mapped. Attributes of the wrong kind read as absent; out-of-range inputs as left out.
class Call {
 public:
  Call(Importer& importer, GraphBuilder& builder, proto::Node& node, int64_t opset)
      : b(builder), importer_(importer), node_(node), opset_(opset) {}

  GraphBuilder& b;

  int64_t opset() const noexcept { return opset_; }
  const std::string& op() const { return node_.op_type(); }
  size_t input_count() const { return static_cast<size_t>(node_.input_size()); }
  size_t output_count() const { return static_cast<size_t>(node_.output_size()); }
  bool has(size_t input) const;
  bool wants(size_t output) const;  // whether the graph names this output
  ValueId in(size_t input);         // kNoValue when left out
  ValueId need(size_t input);       // an error when left out
  std::vector<ValueId> all_inputs();
  void out(ValueId value, size_t output = 0);

  bool has_attr(const char* name) const { return attr(name) != nullptr; }
  int64_t int_attr(const char* name, int64_t otherwise) const;
  double float_attr(const char* name, double otherwise) const;
  std::string string_attr(const char* name, const std::string& otherwise) const;
  std::vector<int64_t> ints_attr(const char* name) const;
  std::vector<double> floats_attr(const char* name) const;
  proto::Attribute* attr(const char* name) const;
  proto::Graph* graph_attr(const char* name);  // null, and an error, when there is none

  // Inputs that must be known now: an error says that it is computed at run time.
  std::vector<int64_t> const_ints(size_t input);
  std::vector<double> const_numbers(size_t input);
  // An attribute in old opsets, an input in new ones; nothing when neither is there.
  std::optional<std::vector<int64_t>> ints_either(const char* attribute, size_t input);

  // An axis in [0, rank); an error otherwise.
  int axis(int64_t value, int rank);
  std::vector<int32_t> axes(const std::vector<int64_t>& values, int rank);
  // rank(x), an error when not known.
  int rank(ValueId x);

  ValueId unsupported(const std::string& what) { return b.error(ErrorCode::kUnsupported, what); }
  ValueId invalid(const std::string& what) { return b.error(ErrorCode::kInvalidModel, what); }
  Importer& importer() { return importer_; }
  proto::Node& node() { return node_; }

 private:
  Importer& importer_;
  proto::Node& node_;
  int64_t opset_;
};

struct OpEntry {
  const char* op;
  void (*map)(Call& call);
};

// The tables; ops_*.cc.
std::span<const OpEntry> elementwise_ops();
std::span<const OpEntry> logic_ops();
std::span<const OpEntry> shape_ops();
std::span<const OpEntry> movement_ops();
std::span<const OpEntry> reduce_ops();
std::span<const OpEntry> conv_ops();
std::span<const OpEntry> pool_ops();
std::span<const OpEntry> norm_ops();
std::span<const OpEntry> matmul_ops();
std::span<const OpEntry> resize_ops();
std::span<const OpEntry> rnn_ops();
std::span<const OpEntry> quant_ops();
std::span<const OpEntry> control_ops();
std::span<const OpEntry> loop_ops();
std::span<const OpEntry> detection_ops();
std::span<const OpEntry> signal_ops();
std::span<const OpEntry> loss_ops();
std::span<const OpEntry> contrib_ops();   // domain com.microsoft
std::span<const OpEntry> brevitas_ops();  // domains onnx.brevitas, qonnx.custom_op.general

const OpEntry* find_entry(const std::string& domain, const std::string& op);

class Importer {
 public:
  Importer(proto::Model& source, std::string folder, const formats::ImportOptions& options)
      : source_(source), folder_(std::move(folder)), options_(options) {}

  Result<formats::Imported> run(const std::string& name);

  // ---- for the op tables ----
  ValueId find(const std::string& name);  // kNoValue when nothing makes it
  void set(const std::string& name, ValueId value) { scopes_.back().values[name] = value; }
  Result<ValueId> constant(proto::Tensor& tensor, GraphBuilder& builder, const std::string& name);
  // Maps a loop's body into a subgraph's builder. It sees `values`, its own names, and nothing else; gives its outputs.
  Status map_body(proto::Graph& graph, GraphBuilder& builder, std::map<std::string, ValueId> values,
                  std::vector<ValueId>& outputs);
  // Maps the nodes of a branch into `builder` in a scope of its own; gives its outputs.
  std::vector<ValueId> inline_graph(proto::Graph& graph, GraphBuilder& builder);
  void warn(std::string text);  // the same one once
  const std::string& folder() const { return folder_; }
  bool wants_loops() const { return options_.recurrent_loops; }

 private:
  struct Scope {
    std::map<std::string, ValueId> values;
    std::map<std::string, proto::Tensor*> tensors;  // initializers not yet used
  };
  Status check_operators();
  void collect_unknown(const google::protobuf::RepeatedPtrField<proto::Node>& nodes,
                       std::map<std::string, std::vector<std::string>>& unknown, std::set<const proto::Function*>& seen,
                       int depth);
  Status add_inputs(proto::Graph& graph, GraphBuilder& builder);
  Status map_nodes(google::protobuf::RepeatedPtrField<proto::Node>& nodes, GraphBuilder& builder);
  Status map_node(proto::Node& node, GraphBuilder& builder);
  Status map_function(const proto::Function& function, proto::Node& node, GraphBuilder& builder);
  Status add_outputs(proto::Graph& graph, GraphBuilder& builder, Model& model);
  const proto::Function* find_function(const proto::Node& node) const;
  int64_t opset_of(const std::string& domain) const;
  void enter(proto::Graph& graph);

  proto::Model& source_;
  std::string folder_;
  const formats::ImportOptions& options_;
  std::vector<Scope> scopes_;
  std::vector<std::string> warnings_;
  GraphBuilder* builder_ = nullptr;  // of the graph that constants go to
  int function_depth_ = 0;
  size_t mapped_ = 0;  // nodes so far: functions and loops can ask for more than anything could hold
  const google::protobuf::RepeatedPtrField<proto::OpsetId>* opsets_ =
      &source_.opset_import();  // of the model or function
};

// ---- helpers of the tables ----

// NCHW... to NHWC... and back, for any rank above 2.
std::vector<int32_t> to_channels_last(int rank);
std::vector<int32_t> to_channels_first(int rank);

}  // namespace fewbits::onnx
