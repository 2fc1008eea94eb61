// Running a model: set inputs by name, run, read outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fewbits/model.h"

namespace fewbits {

struct RuntimeOptions {
  int threads = 1;        // 1 to 64, the calling one included
  std::string signature;  // empty: the model's first signature, else its main subgraph
  // A subgraph by its index instead of a signature: inputs and outputs then have no names but their tensors'.
  std::optional<int32_t> subgraph;
  // Float products multiply float32 and nothing else. Otherwise processors with AMX take a float as the sum of three bfloat16,
  // which is faster and no less exact, but rounds elsewhere: outputs then differ from another machine's in their last bits.
  bool strict_fp32 = false;
  // A file that keeps the weights as this machine's kernels take them, so that the next start maps it instead of packing them
  // again. It is made, or made anew where it lacks some or comes from another version; it takes about what the weights take in
  // the model. Only for files that nobody else may write: its content is trusted. Empty: none.
  std::string pack_cache;
};

// An output's numbers inside the runtime: valid until its next run, resize or end.
struct OutputView {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::span<const std::byte> bytes;

  template <class T>
  std::span<const T> as() const noexcept {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

// Sees a tensor as a run makes it: inputs first, then every operator's outputs, those of called subgraphs, too. The view
// dies when the tap returns. It must not throw.
using TensorTap = std::function<void(int32_t subgraph, int32_t tensor, const OutputView& view)>;

struct OperatorTime {
  int32_t index = 0;   // the operator's index in the model
  std::string type;    // "CONV_2D"
  std::string name;    // its first output's
  std::string kernel;  // "gemm_s8 avx512vnni"
  int64_t nanoseconds = 0;
};

// Which implementation an operator got, and why better ones were not taken.
struct KernelChoice {
  int32_t index = 0;
  std::string type, name;
  std::string kernel;  // empty where the choice is made during a run, when shapes are known
  std::vector<std::string> declined;
};

// One model ready to run. A Runtime belongs to one thread at a time; make several of the same ModelPtr to run it on several
// threads: they share the plan (packed weights, chosen kernels) wherever their input shapes are the same.
//
// Inputs and outputs go by their name in the signature, or else by their tensor's. State and resource variables live in the
// Runtime: they are kept from run to run until reset_state() or a resize.
class Runtime {
 public:
  // Plans for the shapes of the file. A model with dynamic inputs that cannot be planned for those is planned when it runs.
  // Errors: kNotFound for a signature that is not there, kUnsupported lists every operator without a kernel.
  static Result<std::unique_ptr<Runtime>> make(ModelPtr model, const RuntimeOptions& options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // What the model declares: -1 for dynamic sizes. They live as long as the Runtime.
  const std::vector<TensorSpec>& inputs() const noexcept;
  const std::vector<TensorSpec>& outputs() const noexcept;

  int32_t subgraph() const noexcept;  // that it runs

  // Every function that takes a name of an input or output also takes its place in inputs() or outputs().

  // Gives an input another shape, declared dynamic or not; its content becomes zero. The next run plans anew, and fails if the
  // model cannot take the shape.
  Status resize_input(std::string_view name, const Shape& shape);
  Status resize_input(size_t i, const Shape& shape);
  // The shape that an input has now.
  Result<Shape> input_shape(std::string_view name) const;
  Result<Shape> input_shape(size_t i) const;
  // Plans for the shapes that the inputs have, which run() would do otherwise.
  Status plan();
  // Every tensor's shape by its index in the subgraph: as planned, or as the last run left it where that depends on
  // values; without a plan, as the file has it.
  std::vector<Shape> tensor_shapes() const;

  // Copies into an input. The array must have the input's type, and its shape as it is now; sizes that the model declares dynamic
  // follow the array's. Its name is not looked at.
  Status set_input(std::string_view name, const Array& array);
  // The same for bytes in C order, exactly as many as the input's shape takes.
  Status set_input(std::string_view name, std::span<const std::byte> bytes);
  Status set_input(size_t i, const Array& array);
  Status set_input(size_t i, std::span<const std::byte> bytes);
  // Where an input lies, to be filled in place before a run; valid until the next resize.
  Result<std::span<std::byte>> input_bytes(std::string_view name);
  Result<std::span<std::byte>> input_bytes(size_t i);

  // Runs. Every input must have been set or filled in place since the start (what it holds is kept from run to run); the error
  // lists those that were not. With static shapes it allocates nothing.
  Status run();
  Result<OutputView> output(std::string_view name) const;
  Result<OutputView> output(size_t i) const;
  // A tensor of the subgraph by its index, if its memory is its own: inputs, outputs, constants and what was folded into
  // them, state. Others share theirs with later ones: see them with a tap. Needs a plan; zero before the first run.
  // Constants are not to be written to. Errors: kInvalidArgument for other tensors, kUnsupported for constants that the
  // file stores sparse.
  Result<OutputView> tensor(int32_t index) const;
  Result<Array> output_array(std::string_view name) const;  // a copy, named as asked for
  // Variables and resources back to their start.
  void reset_state();

  // From the next run on; empty: none. It costs time, as operators then run one by one, and copies are the tap's to make. State
  // starts anew when the first tap is set and when it is taken off.
  void set_tap(TensorTap tap);
  // Time of each operator in the last run; empty unless profiling is on.
  void set_profiling(bool on);
  std::vector<OperatorTime> profile() const;
  // One for each operator that runs; those folded into constants are not among them.
  std::vector<KernelChoice> kernels() const;

  double plan_milliseconds() const noexcept;  // that the last planning took; near 0 when a plan was shared
  size_t memory_bytes() const noexcept;       // of activations, state and workspace; weights are not in it

 private:
  struct Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewbits
