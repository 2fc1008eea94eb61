// prepare() of the LSTM operators.
#include <memory>

#include "ops/rnn/lstm.h"
#include "ops/rnn/op.h"
#include "ops/rnn/options.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

using namespace rnn;  // NOLINT: this file is the front of that namespace

const char* form_name(LstmForm form) {
  switch (form) {
    case LstmForm::kFloat: return "float";
    case LstmForm::kHybrid: return "hybrid";
    default: return "int8x8_16";
  }
}

// A kernel of one or two cells, run one after the other.
template <class Cell>
Prepared make_lstm(std::vector<Cell> cells, LstmForm form, size_t workspace) {
  std::string choice = fmt::format("lstm {} {}", form_name(form), cells[0].kernel_name());
  return make_kernel(
      [cells = std::move(cells)](const RunArgs& args) noexcept {
        for (const Cell& cell : cells) cell.run(args);
      },
      std::move(choice), workspace);
}

Result<Prepared> prepare_one_cell(const OpContext& context, const LstmSettings& settings, const Sequence& sequence) {
  if (context.inputs.size() != 20 && context.inputs.size() != 24) {
    return context.fail(ErrorCode::kInvalidModel, "an LSTM has 20 or 24 operands, not {}", context.inputs.size());
  }
  FB_ASSIGN(LstmCell cell, check_lstm(context, lstm_operands(context), settings, sequence));
  Workspace workspace;
  const LstmForm form = cell.form;
  if (form == LstmForm::kInteger) {
    FB_ASSIGN(const IntegerLstmParams params, integer_lstm_params(context, cell));
    std::vector<IntegerLstm> cells;
    cells.emplace_back(context, std::move(cell), params, workspace);
    return make_lstm(std::move(cells), form, workspace.size());
  }
  const size_t width = cell.output;
  std::vector<FloatLstm> cells;
  cells.emplace_back(context, std::move(cell), 0, 0, width, workspace);
  return make_lstm(std::move(cells), form, workspace.size());
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

Result<Prepared> prepare_lstm(const OpContext& context) {
  const auto options = lstm_options(context);
  if (options.kernel_type == tflite::LSTMKernelType::BASIC) return prepare_lstm_basic(context);
  if (context.outputs.size() != 1 || context.inputs[0].rank() != 2) {
    return context.fail(ErrorCode::kInvalidModel, "an LSTM has a two-dimensional input and one output");
  }
  const LstmSettings settings = {options.fused_activation_function, options.cell_clip, options.proj_clip,
                                 options.asymmetric_quantize_inputs};
  Sequence sequence;
  sequence.batch = static_cast<size_t>(context.inputs[0].dim(0));
  return prepare_one_cell(context, settings, sequence);
}

Result<Prepared> prepare_sequence_lstm(const OpContext& context) {
  const auto options = sequence_lstm_options(context);
  const LstmSettings settings = {options.fused_activation_function, options.cell_clip, options.proj_clip,
                                 options.asymmetric_quantize_inputs};
  FB_ASSIGN(const Sequence sequence, sequence_of(context, options.time_major));
  return prepare_one_cell(context, settings, sequence);
}

Result<Prepared> prepare_bidirectional_lstm(const OpContext& context) {
  const auto options = bidirectional_lstm_options(context);
  const LstmSettings settings = {options.fused_activation_function, options.cell_clip, options.proj_clip,
                                 options.asymmetric_quantize_inputs};
  FB_ASSIGN(Sequence sequence, sequence_of(context, options.time_major));
  if (context.has_input(39) &&
      (context.inputs[39].rank() != 3 || context.inputs[39].dim(0) != context.inputs[0].dim(0) ||
       context.inputs[39].dim(1) != context.inputs[0].dim(1))) {
    return context.fail(ErrorCode::kInvalidModel, "the auxiliary input {} does not fit the input {}",
                        shape_text(context.inputs[39].shape), shape_text(context.inputs[0].shape));
  }
  FB_ASSIGN(LstmCell forward, check_lstm(context, bidirectional_operands(context, false), settings, sequence));
  sequence.backward = true;
  FB_ASSIGN(LstmCell backward, check_lstm(context, bidirectional_operands(context, true), settings, sequence));
  if (forward.form == LstmForm::kInteger || forward.form != backward.form ||
      context.outputs.back().dtype != DType::kFloat32) {
    return unsupported_types(context);
  }
  const LstmForm form = forward.form;
  const size_t forward_width = forward.output, backward_width = backward.output;
  Workspace workspace;
  std::vector<FloatLstm> cells;
  if (options.merge_outputs) {
    const size_t width = forward_width + backward_width;
    cells.emplace_back(context, std::move(forward), 0, 0, width, workspace);
    cells.emplace_back(context, std::move(backward), 0, forward_width, width, workspace);
  } else {
    cells.emplace_back(context, std::move(forward), 0, 0, forward_width, workspace);
    cells.emplace_back(context, std::move(backward), 1, 0, backward_width, workspace);
  }
  return make_lstm(std::move(cells), form, workspace.size());
}

}  // namespace fewbits::ops
