// Shape inference of the recurrent operators. Output widths are those of the weights.
#include "ops/rnn/op.h"
#include "ops/rnn/options.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// The shape of the input with another last size; dynamic while either is not known.
Status set_width(OpContext& context, size_t output, int rank, std::optional<int64_t> width) {
  const TensorInfo& input = context.inputs[0];
  if (input.dynamic || !is_static(input.shape) || !width) {
    context.outputs[output].dynamic = true;
    return {};
  }
  if (input.rank() != rank) {
    return context.fail(ErrorCode::kInvalidModel, "the input must have {} dimensions, not {}", rank,
                        shape_text(input.shape));
  }
  if (*width > INT32_MAX) return context.fail(ErrorCode::kInvalidModel, "the output is too wide");
  context.outputs[output].shape = input.shape;
  context.outputs[output].shape.back() = static_cast<int32_t>(*width);
  return {};
}

// A dimension of an operand; nothing while it is not known, an error when the operand is missing or has too few.
Result<std::optional<int64_t>> dimension(const OpContext& context, size_t operand, int dim) {
  if (!context.has_input(operand)) return context.fail(ErrorCode::kInvalidModel, "operand {} is missing", operand);
  const TensorInfo& tensor = context.inputs[operand];
  if (tensor.dynamic) return std::optional<int64_t>();
  if (tensor.rank() < 1 || dim >= tensor.rank()) {
    return context.fail(ErrorCode::kInvalidModel, "operand {} has the shape {}", operand, shape_text(tensor.shape));
  }
  if (tensor.dim(dim) < 0) return std::optional<int64_t>();
  return std::optional<int64_t>(tensor.dim(dim));
}

Status infer_two_directions(OpContext& context, size_t forward_weights, size_t backward_weights, int dim, bool merge) {
  if (context.outputs.size() != (merge ? 1u : 2u)) {
    return context.fail(ErrorCode::kInvalidModel, "there must be {} output(s), not {}", merge ? 1 : 2,
                        context.outputs.size());
  }
  FB_ASSIGN(const auto forward, dimension(context, forward_weights, dim));
  FB_ASSIGN(const auto backward, dimension(context, backward_weights, dim));
  if (merge) return set_width(context, 0, 3, forward && backward ? std::optional(*forward + *backward) : std::nullopt);
  FB_TRY(set_width(context, 0, 3, forward));
  return set_width(context, 1, 3, backward);
}

Status infer_basic(OpContext& context) {
  if (context.inputs.size() != 5 || context.outputs.size() != 4) {
    return context.fail(ErrorCode::kInvalidModel, "the basic kernel has 5 operands and 4 outputs");
  }
  FB_ASSIGN(const auto depth, dimension(context, 1, 1));
  FB_ASSIGN(const auto input, dimension(context, 0, 1));
  FB_TRY(set_width(context, 0, 2, depth));
  FB_TRY(set_width(context, 1, 2, depth));
  FB_TRY(set_width(context, 2, 2, depth && input ? std::optional(*depth + *input) : std::nullopt));
  return set_width(context, 3, 2, depth ? std::optional(*depth * 4) : std::nullopt);
}

}  // namespace

Status infer_lstm(OpContext& context) {
  if (rnn::lstm_options(context).kernel_type == tflite::LSTMKernelType::BASIC) return infer_basic(context);
  FB_ASSIGN(const auto width, dimension(context, 8, -1));
  return set_width(context, 0, 2, width);
}

Status infer_sequence_lstm(OpContext& context) {
  FB_ASSIGN(const auto width, dimension(context, 8, -1));
  return set_width(context, 0, 3, width);
}

Status infer_bidirectional_lstm(OpContext& context) {
  return infer_two_directions(context, 8, 25, -1, rnn::bidirectional_lstm_options(context).merge_outputs);
}

Status infer_rnn(OpContext& context) {
  FB_ASSIGN(const auto width, dimension(context, 1, 0));
  return set_width(context, 0, 2, width);
}

Status infer_sequence_rnn(OpContext& context) {
  FB_ASSIGN(const auto width, dimension(context, 1, 0));
  return set_width(context, 0, 3, width);
}

Status infer_bidirectional_rnn(OpContext& context) {
  return infer_two_directions(context, 1, 5, 0, rnn::bidirectional_rnn_options(context).merge_outputs);
}

Status infer_svdf(OpContext& context) {
  const int32_t rank = rnn::svdf_options(context).rank;
  FB_ASSIGN(const auto filters, dimension(context, 1, 0));
  if (rank <= 0 || (filters && *filters % rank != 0)) {
    return context.fail(ErrorCode::kInvalidModel, "{} filters are not of rank {}", filters.value_or(0), rank);
  }
  return set_width(context, 0, 2, filters ? std::optional(*filters / rank) : std::nullopt);
}

}  // namespace fewbits::ops
