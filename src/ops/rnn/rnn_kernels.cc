// prepare() and kernels of RNN and its sequence forms: state = output = activation(W x + W' aux + R state + bias).
#include <algorithm>

#include "ops/rnn/dense.h"
#include "ops/rnn/math.h"
#include "ops/rnn/op.h"
#include "ops/rnn/options.h"
#include "ops/rnn/sequence.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

using namespace rnn;  // NOLINT: this file is the front of that namespace

// Operand numbers of one cell; -1: absent.
struct RnnOperands {
  int input = 0, weights = 1, recurrent = 2, bias = 3, state = 4, aux = -1, aux_weights = -1;
};

struct RnnSettings {
  tflite::ActivationFunctionType activation;
  bool asymmetric = false;
  size_t rounds = 1;  // how often a run walks the sequence
};

class RnnCell {
 public:
  RnnCell(const OpContext& context, const RnnOperands& operands, const RnnSettings& settings, const Sequence& sequence,
          size_t out_index, size_t out_column, size_t out_width, Workspace& workspace)
      : operands_(operands),
        settings_(settings),
        sequence_(sequence),
        out_index_(out_index),
        out_column_(out_column),
        out_width_(out_width),
        units_(width(context, operands.weights, 0)),
        depth_(width(context, operands.weights, 1)),
        input_(context, {operands.weights}, units_, depth_, sequence.chunk_rows(), settings.asymmetric, workspace),
        recurrent_(context, {operands.recurrent}, units_, units_, sequence.batch, settings.asymmetric, workspace) {
    from_input_at_ = workspace.add<float>(sequence.chunk_rows() * units_);
    sum_at_ = workspace.add<float>(sequence.batch * units_);
    if (operands.aux < 0) return;
    aux_depth_ = width(context, operands.aux_weights, 1);
    aux_.emplace_back(context, std::vector<int>{operands.aux_weights}, units_, aux_depth_, sequence.chunk_rows(),
                      settings.asymmetric, workspace);
    from_aux_at_ = workspace.add<float>(sequence.chunk_rows() * units_);
  }

  const char* kernel_name() const noexcept { return input_.kernel_name(); }

  void run(const RunArgs& args) const noexcept {
    if (sequence_.batch == 0 || sequence_.time == 0) return;
    input_.begin_run(args);
    recurrent_.begin_run(args);
    for (const Dense& product : aux_) product.begin_run(args);
    for (size_t round = 0; round < settings_.rounds; ++round) walk(args);
  }

 private:
  static size_t width(const OpContext& context, int operand, int dimension) {
    return static_cast<size_t>(context.inputs[static_cast<size_t>(operand)].dim(dimension));
  }

  // The whole sequence once.
  void walk(const RunArgs& args) const noexcept {
    float* from_input = array_at<float>(args, from_input_at_);
    for (size_t begin = 0; begin < sequence_.time; begin += sequence_.chunk()) {
      const size_t count = std::min(sequence_.chunk(), sequence_.time - begin);
      const size_t first = std::min(sequence_.time_of(begin), sequence_.time_of(begin + count - 1));
      sequence_.for_chunk_rows(first, count, [&](size_t row, size_t rows, size_t to) {
        input_.run(args, in<float>(args, static_cast<size_t>(operands_.input)) + row * depth_, depth_, rows,
                   from_input + to * units_, units_);
        if (aux_.empty()) return;
        float* from_aux = array_at<float>(args, from_aux_at_) + to * units_;
        aux_[0].run(args, in<float>(args, static_cast<size_t>(operands_.aux)) + row * aux_depth_, aux_depth_, rows,
                    from_aux, units_);
        for (size_t i = 0; i < rows * units_; ++i) from_input[to * units_ + i] += from_aux[i];
      });
      for (size_t i = begin; i < begin + count; ++i) step(args, sequence_.time_of(i), first, count);
    }
  }

  void step(const RunArgs& args, size_t t, size_t first, size_t count) const noexcept {
    auto* state = static_cast<float*>(args.in[operands_.state]);
    float* sum = array_at<float>(args, sum_at_);
    recurrent_.run(args, state, units_, sequence_.batch, sum, units_);
    const float* bias = in<float>(args, static_cast<size_t>(operands_.bias));
    for (size_t b = 0; b < sequence_.batch; ++b) {
      const float* from_input =
          array_at<float>(args, from_input_at_) + sequence_.chunk_row(t - first, b, count) * units_;
      float* row = state + b * units_;
      for (size_t i = 0; i < units_; ++i) row[i] = bias[i] + from_input[i] + sum[b * units_ + i];
      apply_activation(settings_.activation, row, units_);
      std::copy_n(row, units_, out<float>(args, out_index_) + sequence_.row(t, b) * out_width_ + out_column_);
    }
  }

  RnnOperands operands_;
  RnnSettings settings_;
  Sequence sequence_;
  size_t out_index_, out_column_, out_width_;
  size_t units_, depth_, aux_depth_ = 0;
  Dense input_, recurrent_;
  std::vector<Dense> aux_;  // none or one
  size_t from_input_at_ = 0, sum_at_ = 0, from_aux_at_ = 0;
};

Status check_matrix(const OpContext& context, int operand, const char* what, DType type, int64_t rows,
                    int64_t columns) {
  const TensorInfo& tensor = context.inputs[static_cast<size_t>(operand)];
  FB_TRY(require_type(context, tensor, what, {type}));
  if (tensor.rank() != 2 || tensor.dim(0) != rows || tensor.dim(1) != columns || rows == 0 || columns == 0) {
    return context.fail(ErrorCode::kInvalidModel, "{} must be [{}, {}], not {}", what, rows, columns,
                        shape_text(tensor.shape));
  }
  return type == DType::kFloat32 ? Status{} : require_per_tensor(context, tensor, what);
}

Status check_cell(const OpContext& context, const RnnOperands& operands, const Sequence& sequence) {
  for (int operand : {operands.input, operands.weights, operands.recurrent, operands.bias, operands.state}) {
    if (!context.has_input(static_cast<size_t>(operand))) {
      return context.fail(ErrorCode::kInvalidModel, "operand {} is missing", operand);
    }
  }
  const TensorInfo& input = context.inputs[static_cast<size_t>(operands.input)];
  const TensorInfo& weights = context.inputs[static_cast<size_t>(operands.weights)];
  const TensorInfo& bias = context.inputs[static_cast<size_t>(operands.bias)];
  const TensorInfo& state = context.inputs[static_cast<size_t>(operands.state)];
  FB_TRY(require_type(context, input, "the input", {DType::kFloat32}));
  FB_TRY(require_type(context, weights, "the weights", {DType::kFloat32, DType::kInt8, DType::kUInt8}));
  if (weights.rank() != 2) return context.fail(ErrorCode::kInvalidModel, "the weights must have two dimensions");
  const int32_t units = weights.dim(0);
  FB_TRY(check_matrix(context, operands.weights, "the weights", weights.dtype, units, input.dim(-1)));
  FB_TRY(check_matrix(context, operands.recurrent, "the recurrent weights", weights.dtype, units, units));
  FB_TRY(require_type(context, bias, "the bias", {DType::kFloat32}));
  FB_TRY(require_type(context, state, "the hidden state", {DType::kFloat32}));
  if (bias.shape != Shape{units}) {
    return context.fail(ErrorCode::kInvalidModel, "the bias {} does not fit {} units", shape_text(bias.shape), units);
  }
  if (!state.is_variable || state.count() != sequence.batch * static_cast<size_t>(units)) {
    return context.fail(ErrorCode::kInvalidModel, "the hidden state must be a variable of {} * {} elements",
                        sequence.batch, units);
  }
  if (operands.aux < 0) return {};
  const TensorInfo& aux = context.inputs[static_cast<size_t>(operands.aux)];
  FB_TRY(require_type(context, aux, "the auxiliary input", {DType::kFloat32}));
  return check_matrix(context, operands.aux_weights, "the auxiliary weights", weights.dtype, units, aux.dim(-1));
}

Prepared make_rnn(std::vector<RnnCell> cells, const Workspace& workspace) {
  std::string choice = fmt::format("rnn {}", cells[0].kernel_name());
  return make_kernel(
      [cells = std::move(cells)](const RunArgs& args) noexcept {
        for (const RnnCell& cell : cells) cell.run(args);
      },
      std::move(choice), workspace.size());
}

Result<Prepared> prepare_one_cell(const OpContext& context, const RnnSettings& settings, const Sequence& sequence) {
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32}));
  FB_TRY(check_cell(context, {}, sequence));
  Workspace workspace;
  std::vector<RnnCell> cells;
  cells.emplace_back(context, RnnOperands{}, settings, sequence, 0, 0, static_cast<size_t>(context.inputs[1].dim(0)),
                     workspace);
  return make_rnn(std::move(cells), workspace);
}

Result<Sequence> sequence_of(const OpContext& context, bool time_major) {
  const TensorInfo& input = context.inputs[0];
  if (input.rank() != 3) {
    return context.fail(ErrorCode::kInvalidModel, "the input must have three dimensions, not {}",
                        shape_text(input.shape));
  }
  Sequence sequence;
  sequence.time_major = time_major;
  sequence.time = static_cast<size_t>(input.dim(time_major ? 0 : 1));
  sequence.batch = static_cast<size_t>(input.dim(time_major ? 1 : 0));
  return sequence;
}

}  // namespace

Result<Prepared> prepare_rnn(const OpContext& context) {
  const auto options = rnn_options(context);
  if (context.inputs[0].rank() != 2) {
    return context.fail(ErrorCode::kInvalidModel, "the input must have two dimensions, not {}",
                        shape_text(context.inputs[0].shape));
  }
  Sequence sequence;
  sequence.batch = static_cast<size_t>(context.inputs[0].dim(0));
  return prepare_one_cell(context, {options.fused_activation_function, options.asymmetric_quantize_inputs}, sequence);
}

Result<Prepared> prepare_sequence_rnn(const OpContext& context) {
  const auto options = sequence_rnn_options(context);
  FB_ASSIGN(const Sequence sequence, sequence_of(context, options.time_major));
  return prepare_one_cell(context, {options.fused_activation_function, options.asymmetric_quantize_inputs}, sequence);
}

Result<Prepared> prepare_bidirectional_rnn(const OpContext& context) {
  const auto options = bidirectional_rnn_options(context);
  RnnSettings settings = {options.fused_activation_function, options.asymmetric_quantize_inputs};
  FB_ASSIGN(Sequence sequence, sequence_of(context, options.time_major));
  RnnOperands forward, backward = {.weights = 5, .recurrent = 6, .bias = 7, .state = 8};
  const bool aux = context.has_input(9), aux_weights = context.has_input(10);
  if (aux_weights != context.has_input(11) || (aux_weights && !aux)) {
    return context.fail(ErrorCode::kInvalidModel, "auxiliary input and weights must come together");
  }
  if (aux && (context.inputs[9].rank() != 3 || context.inputs[9].dim(0) != context.inputs[0].dim(0) ||
              context.inputs[9].dim(1) != context.inputs[0].dim(1))) {
    return context.fail(ErrorCode::kInvalidModel, "the auxiliary input {} does not fit the input {}",
                        shape_text(context.inputs[9].shape), shape_text(context.inputs[0].shape));
  }
  if (aux_weights) {
    forward.aux = backward.aux = 9;
    forward.aux_weights = 10;
    backward.aux_weights = 11;
  } else if (aux && options.time_major) {
    backward.input = 9;  // batch-major LiteRT forgets it: see op.h
  }
  if (options.time_major && context.inputs[1].dtype != DType::kFloat32) settings.rounds = sequence.time;  // and here
  FB_TRY(check_cell(context, forward, sequence));
  FB_TRY(check_cell(context, backward, sequence));
  for (const TensorInfo& output : context.outputs) {
    FB_TRY(require_type(context, output, "the output", {DType::kFloat32}));
  }
  const auto forward_width = static_cast<size_t>(context.inputs[1].dim(0));
  const auto backward_width = static_cast<size_t>(context.inputs[5].dim(0));
  const bool merge = options.merge_outputs;
  Workspace workspace;
  std::vector<RnnCell> cells;
  cells.emplace_back(context, forward, settings, sequence, 0, 0, merge ? forward_width + backward_width : forward_width,
                     workspace);
  sequence.backward = true;
  cells.emplace_back(context, backward, settings, sequence, merge ? 0 : 1, merge ? forward_width : 0,
                     merge ? forward_width + backward_width : backward_width, workspace);
  return make_rnn(std::move(cells), workspace);
}

}  // namespace fewbits::ops
