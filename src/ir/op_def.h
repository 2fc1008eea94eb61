// What is known about an operator, as data: operands, shape inference, quantization rule, versions, kernels. One OpDef an
// operator, written in its family's folder under ops/, read by everyone (verifier, quantizer, writer, runtime, docs).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits {

class Packs;
class ThreadPool;
namespace ops {
class RowKernel;
}

// What is known of an operand while shapes are inferred and kernels prepared.
struct TensorInfo {
  bool present = false;  // false: an optional operand that is left out
  DType dtype = DType::kFloat32;
  Shape shape;                         // sizes may be -1 when dynamic
  bool dynamic = false;                // shape (even rank) is only known when the values are there
  const QuantParams* quant = nullptr;  // never null when present
  const void* data = nullptr;          // the values, where they are known now: a constant, or any operand at run time
  bool is_const = false;               // data never changes and outlives the kernel: may be packed, viewed, folded
  bool is_variable = false;
  const Value* value = nullptr;  // for names and sparsity; never null when present

  size_t count() const noexcept { return element_count(shape); }
  int32_t dim(int i) const noexcept {
    return shape[static_cast<size_t>(i < 0 ? i + static_cast<int>(shape.size()) : i)];
  }
  int rank() const noexcept { return static_cast<int>(shape.size()); }
  template <class T>
  const T* as() const noexcept {
    return static_cast<const T*>(data);
  }
  float scale() const noexcept { return quant->scale.empty() ? 0.0f : quant->scale[0]; }
  int32_t zero_point() const noexcept { return static_cast<int32_t>(quant->zero()); }
};

// A node with its operands. infer() fills the shapes of `outputs`; prepare() and version() only read.
struct OpContext {
  const Model* model = nullptr;
  const Graph* graph = nullptr;
  NodeId node_id = 0;
  const Node* node = nullptr;
  std::span<const TensorInfo> inputs;  // as many as the node has; `present` is false for kNoValue
  std::span<TensorInfo> outputs;
  std::span<const TensorInfo> intermediates;
  bool fast_float = false;  // prepare(): float products may be sums of products of bfloat16
  Packs* packs = nullptr;   // prepare(): where packed weights are shared and kept (ops/packs.h), or null

  bool has_input(size_t i) const noexcept { return i < inputs.size() && inputs[i].present; }
  // An error that begins with the node's description.
  template <class... Args>
  tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) const {
    return with_context(Error{code, fmt::format(format, std::forward<Args>(args)...)}, describe_node(*graph, node_id));
  }
};

// ---- kernels ----

struct RunArgs {
  void* const* in;  // operand data in the node's order; null where absent. Variables are written through it
  void* const* out;
  std::byte* workspace;  // Prepared::workspace bytes, 64-byte aligned
  const ThreadPool* pool;
};

// A prepared operator. Immutable once its plan is made, shared by the plan's sessions: all state is in operands and workspace.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const RunArgs& args) const noexcept = 0;
  // This as a kernel that makes rows (ops/row_kernel.h), or null: the library does without run-time type information.
  virtual ops::RowKernel* rows() noexcept { return nullptr; }
  // Where the output is a function of each byte of the input: its answers for all 256; else null.
  virtual const uint8_t* byte_table() const noexcept { return nullptr; }
};

struct TensorView {
  DType dtype = DType::kFloat32;
  Shape shape;
  const void* data = nullptr;
  size_t bytes = 0;
};
struct OwnedTensor {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::vector<std::byte> bytes;

  TensorView view() const { return {dtype, shape, bytes.data(), bytes.size()}; }
};

// State that outlives a run and is shared by the subgraphs of a session: resource variables, hash tables, once-flags.
// A resource tensor's bytes are the text of its key here (ops/variable/op.h), so handles travel between subgraphs as values.
struct ResourceStore {
  std::map<std::string, OwnedTensor> variables;  // by "container/shared_name"
  std::map<std::string, std::pair<OwnedTensor, OwnedTensor>>
      tables;                                                    // keys (ascending, unique) and values, by table id
  std::set<int32_t> once;                                        // subgraphs that a CALL_ONCE ran
  std::map<const Node*, std::vector<uint64_t>> generator_state;  // random operators
};

// What a kernel whose outputs' shapes depend on running it (control flow, resources) gets from the session.
class DynamicArgs {
 public:
  virtual ~DynamicArgs() = default;
  virtual std::span<const TensorView> inputs() const = 0;  // absent ones have data == null
  // Sets the shape of output i and returns its bytes to fill; an error when memory is refused.
  virtual Result<void*> resize_output(size_t i, const Shape& shape) = 0;
  // As resize_output for types without a fixed size (strings, resources).
  virtual Result<void*> resize_output_bytes(size_t i, const Shape& shape, size_t bytes) = 0;
  // Runs another subgraph of the model on these inputs.
  virtual Result<std::vector<OwnedTensor>> call(int32_t graph, std::span<const TensorView> inputs) = 0;
  virtual ResourceStore& resources() = 0;
};
class DynamicKernel {
 public:
  virtual ~DynamicKernel() = default;
  virtual Status run(DynamicArgs& args) const = 0;
};

// Exactly one of kernel and dynamic_kernel is set.
struct Prepared {
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<const DynamicKernel> dynamic_kernel;
  size_t workspace = 0;  // bytes
  std::string choice;    // which implementation, "gemm_s8 avx512vnni": shown by inspect --why and profiles
  // Where in output 0 each input's bytes go as they are, if all that the kernel does is to put them there: an input may lie
  // there already. Empty: it does more.
  std::vector<size_t> places;
  std::vector<std::string> declined;  // "depthwise_s8 avx512: depth multiplier 3": why better ones were not taken
};

// ---- quantization rules: a closed vocabulary ----

enum class OperandQuant : uint8_t {
  kNone,     // never quantized: indices, shapes, booleans
  kFree,     // its own calibrated range
  kSame,     // one scale and zero point with every other kSame operand of the node
  kFixed,    // the parameters in fixed8/fixed16 whatever was measured
  kWeights,  // symmetric, per axis where the operator allows; when not constant, as kFree
  kBias,     // int32 (int64 for 16-bit activations), scale = scale(input a) * scale(weights b)
};
struct FixedParams {
  float scale = 0;
  int32_t zero_point = 0;
};
struct OperandRule {
  OperandQuant kind = OperandQuant::kNone;
  int8_t axis = -1;               // kWeights: the dimension of the scales; -1: per-tensor only
  int8_t input = 0, weights = 1;  // kBias: the operands whose scales multiply
  FixedParams fixed8, fixed16;    // kFixed: parameters of int8 and int16
};
class QuantRewriter;  // quantize/: what a custom rule works with
struct QuantRule {
  bool int8 = false, int16 = false;          // integer forms that LiteRT has
  std::vector<OperandRule> inputs, outputs;  // the last entry stands for all further operands
  // Which weights can be int8 under float activations ("weights" mode); empty: none. Others get weight-only with DEQUANTIZE.
  std::vector<int8_t> hybrid_weights;
  bool hybrid_per_axis = false;     // scales per axis (of the operand's rule) in hybrid form
  bool hybrid_all_or_none = false;  // every weight or none (sequence LSTM)
  // Why LiteRT's kernel would abort the process on these scales of the inputs and of output 0; "" when it would not.
  std::string (*scales_problem)(std::span<const float> inputs, float output, DType activation) = nullptr;
  // Why this node cannot take the activation type although the operator has an integer form; null or "" when it can.
  std::string (*decline)(const OpContext& context, DType activation) = nullptr;
  const char* custom = nullptr;  // "lstm", "svdf": quantize/ has code of its own for them
};

// ---- the definition ----

enum OpFlags : uint32_t {
  kView = 1,      // output 0 is the bytes of input 0 under another shape
  kInPlace = 2,   // output 0 may be written over an input of the same size as it is read (elementwise)
  kStateful = 4,  // reads or writes state beyond its operands (resources, random, variables): never folded or removed
  kTable = 8,     // input 0 may be a constant table whose rows are moved as they are: weights mode stores it in int8
  kOptionalInputs = 16,  // any input may be left out; without it, only those beyond Arity::min
  // Element i of output 0 depends on element i of the inputs, and on inputs of one element, and on nothing else. Where
  // scales lie along a dimension the position counts, too.
  kPointwise = 32,
};
struct Arity {
  int16_t min = 1, max = 1;  // max -1: any number
};

struct OpDef {
  Op op = Op::CUSTOM;
  const char* custom = nullptr;  // the custom operator's name when op is CUSTOM
  Arity inputs, outputs;
  uint32_t flags = 0;
  // Sets shape of every output from the inputs (dtype comes from the file), or `dynamic` where it needs values that are
  // not there.
  Status (*infer)(OpContext& context) = nullptr;
  // Chooses, checks and packs. All shapes are static here; constants have data. Every precondition is checked here.
  Result<Prepared> (*prepare)(const OpContext& context) = nullptr;
  // The version to write for these operand types and options; null: 1.
  int32_t (*version)(const OpContext& context) = nullptr;
  QuantRule quant;
};

// The definition of a node's operator; null when fewbits does not know it (custom, Flex, StableHLO). In ops/registry.cc.
const OpDef* find_op(const Node& node) noexcept;
std::span<const OpDef* const> all_ops() noexcept;

}  // namespace fewbits
