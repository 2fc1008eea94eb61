// Operands of an LSTM cell and what must hold for them.
#include <cmath>

#include "ops/rnn/lstm.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops::rnn {
namespace {

constexpr const char* kGateNames[] = {"input", "forget", "cell", "output"};

GateOperands four(const OpContext& context, int first) {
  GateOperands result;
  for (size_t i = 0; i < kGates; ++i) {
    const int operand = first + static_cast<int>(i);
    result[i] = context.has_input(static_cast<size_t>(operand)) ? operand : kAbsent;
  }
  return result;
}

// Peepholes have no cell gate: three operands.
GateOperands peepholes(const OpContext& context, int first) {
  GateOperands result = four(context, first);
  result[kOutputGate] = result[kCellGate];
  result[kCellGate] = kAbsent;
  if (result[kOutputGate] != kAbsent) result[kOutputGate] = first + 2;
  return result;
}

int present(const OpContext& context, int operand) {
  return context.has_input(static_cast<size_t>(operand)) ? operand : kAbsent;
}

LstmOperands cell_operands(const OpContext& context, int first) {
  LstmOperands operands;
  operands.input_weights = four(context, first);
  operands.recurrent_weights = four(context, first + 4);
  operands.peephole = peepholes(context, first + 8);
  operands.bias = four(context, first + 11);
  operands.projection_weights = present(context, first + 15);
  operands.projection_bias = present(context, first + 16);
  return operands;
}

const TensorInfo& info(const OpContext& context, int operand) { return context.inputs[static_cast<size_t>(operand)]; }

class Checker {
 public:
  Checker(const OpContext& context, LstmCell& cell) : context_(context), cell_(cell) {}

  Status run() {
    FB_TRY(sizes());
    FB_TRY(form());
    FB_TRY(weights());
    FB_TRY(vectors());
    FB_TRY(projection());
    return states();
  }

 private:
  Status sizes() {
    const LstmOperands& operands = cell_.operands;
    for (Gate gate : {kForgetGate, kCellGate, kOutputGate}) {
      if (operands.input_weights[gate] == kAbsent || operands.recurrent_weights[gate] == kAbsent ||
          operands.bias[gate] == kAbsent) {
        return context_.fail(ErrorCode::kInvalidModel, "the {} gate lacks weights or a bias", kGateNames[gate]);
      }
    }
    const TensorInfo& in = info(context_, operands.input);
    const TensorInfo& from_input = info(context_, operands.input_weights[kOutputGate]);
    const TensorInfo& recurrent = info(context_, operands.recurrent_weights[kOutputGate]);
    cell_.diagonal = recurrent.rank() == 1;
    if (from_input.rank() != 2 || (recurrent.rank() != 2 && !cell_.diagonal) || in.rank() < 2) {
      return context_.fail(ErrorCode::kInvalidModel, "the ranks of the input or the output gate's weights are wrong");
    }
    cell_.input = static_cast<size_t>(in.dim(-1));
    cell_.cell = static_cast<size_t>(from_input.dim(0));
    cell_.output = static_cast<size_t>(recurrent.dim(-1));
    if (cell_.input == 0 || cell_.cell == 0 || cell_.output == 0) {
      return context_.fail(ErrorCode::kInvalidModel, "a width is 0");
    }
    cell_.cifg = operands.input_weights[kInputGate] == kAbsent;
    cell_.norm = operands.norm[kForgetGate] != kAbsent;
    cell_.peephole = operands.peephole[kOutputGate] != kAbsent;
    cell_.projection = operands.projection_weights != kAbsent;
    if (!cell_.projection && cell_.cell != cell_.output) {
      return context_.fail(ErrorCode::kInvalidModel, "{} cells give {} outputs without a projection", cell_.cell,
                           cell_.output);
    }
    if (!cell_.projection && operands.projection_bias != kAbsent) {
      return context_.fail(ErrorCode::kInvalidModel, "there is a projection bias but no projection");
    }
    return {};
  }

  Status form() {
    const DType in = info(context_, cell_.operands.input).dtype;
    const DType weights = info(context_, cell_.operands.input_weights[kOutputGate]).dtype;
    if (in == DType::kFloat32 && weights == DType::kFloat32) {
      cell_.form = LstmForm::kFloat;
    } else if (in == DType::kFloat32 && (weights == DType::kInt8 || weights == DType::kUInt8)) {
      cell_.form = LstmForm::kHybrid;
    } else if (in == DType::kInt8 && weights == DType::kInt8 && !cell_.diagonal) {
      cell_.form = LstmForm::kInteger;
    } else {
      return unsupported_types(context_);
    }
    weight_type_ = weights;
    const bool integer = cell_.form == LstmForm::kInteger;
    bias_type_ = integer ? DType::kInt32 : DType::kFloat32;
    peephole_type_ = integer ? DType::kInt16 : weights;
    norm_type_ = integer ? DType::kInt16 : DType::kFloat32;
    const LstmSettings& settings = cell_.settings;
    if (!(settings.cell_clip >= 0) || !(settings.projection_clip >= 0)) {
      return context_.fail(ErrorCode::kInvalidModel, "a clip is negative");
    }
    if (integer && settings.activation != tflite::ActivationFunctionType::TANH) {
      return context_.fail(ErrorCode::kUnsupported, "the integer form has no activation but TANH");
    }
    return require_type(context_, context_.outputs[0], "the output", {integer ? DType::kInt8 : DType::kFloat32});
  }

  Status operand(int index, const std::string& what, DType type, const Shape& shape) {
    const TensorInfo& tensor = info(context_, index);
    FB_TRY(require_type(context_, tensor, what.c_str(), {type}));
    if (tensor.shape != shape) {
      return context_.fail(ErrorCode::kInvalidModel, "{} must be {}, not {}", what, shape_text(shape),
                           shape_text(tensor.shape));
    }
    const bool quantized = type == DType::kInt8 || type == DType::kUInt8 || type == DType::kInt16;
    return quantized ? require_per_tensor(context_, tensor, what.c_str()) : Status{};
  }

  Status gate_operands(const GateOperands& of, const char* what, DType type, const Shape& shape, bool wanted,
                       Gate never) {
    for (Gate gate : {kInputGate, kForgetGate, kCellGate, kOutputGate}) {
      const bool expected = wanted && gate != never && !(gate == kInputGate && cell_.cifg);
      if ((of[gate] != kAbsent) != expected) {
        return context_.fail(ErrorCode::kInvalidModel, "{} of the {} gate {}", what, kGateNames[gate],
                             expected ? "are missing" : "must not be there: the other gates have none");
      }
      if (expected) FB_TRY(operand(of[gate], fmt::format("{} of the {} gate", what, kGateNames[gate]), type, shape));
    }
    return {};
  }

  Status weights() {
    const auto rows = static_cast<int32_t>(cell_.cell);
    const LstmOperands& operands = cell_.operands;
    FB_TRY(gate_operands(operands.input_weights, "input weights", weight_type_,
                         {rows, static_cast<int32_t>(cell_.input)}, true, kGates));
    const auto outputs = static_cast<int32_t>(cell_.output);
    FB_TRY(gate_operands(operands.recurrent_weights, "recurrent weights",
                         cell_.diagonal ? DType::kFloat32 : weight_type_,
                         cell_.diagonal ? Shape{rows} : Shape{rows, outputs}, true, kGates));
    const bool aux = operands.aux_weights[kForgetGate] != kAbsent;
    if (aux) {
      if (operands.aux == kAbsent) {
        return context_.fail(ErrorCode::kInvalidModel, "auxiliary weights have no auxiliary input");
      }
      const TensorInfo& in = info(context_, operands.aux);
      FB_TRY(require_type(context_, in, "the auxiliary input", {DType::kFloat32}));
      Shape expected = info(context_, operands.input).shape;
      if (in.rank() != static_cast<int>(expected.size()) || in.dim(-1) == 0) {
        return context_.fail(ErrorCode::kInvalidModel, "the auxiliary input {} does not fit the input {}",
                             shape_text(in.shape), shape_text(expected));
      }
      cell_.aux = static_cast<size_t>(in.dim(-1));
      expected.back() = in.dim(-1);
      FB_TRY(operand(operands.aux, "the auxiliary input", DType::kFloat32, expected));
    }
    return gate_operands(operands.aux_weights, "auxiliary weights", weight_type_,
                         {rows, static_cast<int32_t>(cell_.aux)}, aux, kGates);
  }

  Status vectors() {
    const Shape shape = {static_cast<int32_t>(cell_.cell)};
    const LstmOperands& operands = cell_.operands;
    FB_TRY(gate_operands(operands.bias, "bias", bias_type_, shape, true, kGates));
    FB_TRY(gate_operands(operands.peephole, "peephole weights", peephole_type_, shape, cell_.peephole, kCellGate));
    return gate_operands(operands.norm, "layer normalization coefficients", norm_type_, shape, cell_.norm, kGates);
  }

  Status projection() {
    const LstmOperands& operands = cell_.operands;
    const auto outputs = static_cast<int32_t>(cell_.output);
    if (cell_.projection) {
      FB_TRY(operand(operands.projection_weights, "projection weights", weight_type_,
                     {outputs, static_cast<int32_t>(cell_.cell)}));
    }
    if (operands.projection_bias != kAbsent) {
      FB_TRY(operand(operands.projection_bias, "projection bias", bias_type_, {outputs}));
    }
    return {};
  }

  // States may be flat or two-dimensional; what counts is their size.
  Status state(int index, const char* what, DType type, size_t width) {
    if (index == kAbsent) return context_.fail(ErrorCode::kInvalidModel, "{} is missing", what);
    const TensorInfo& tensor = info(context_, index);
    FB_TRY(require_type(context_, tensor, what, {type}));
    if (!tensor.is_variable) {
      return context_.fail(ErrorCode::kInvalidModel, "{} ('{}') must be a variable tensor", what, tensor.value->name);
    }
    if (tensor.count() != cell_.sequence.batch * width) {
      return context_.fail(ErrorCode::kInvalidModel, "{} has {} elements instead of {} * {}", what, tensor.count(),
                           cell_.sequence.batch, width);
    }
    return type == DType::kFloat32 ? Status{} : require_per_tensor(context_, tensor, what);
  }

  Status states() {
    const bool integer = cell_.form == LstmForm::kInteger;
    FB_TRY(state(cell_.operands.state, "the activation state", integer ? DType::kInt8 : DType::kFloat32, cell_.output));
    return state(cell_.operands.cell_state, "the cell state", integer ? DType::kInt16 : DType::kFloat32, cell_.cell);
  }

  const OpContext& context_;
  LstmCell& cell_;
  DType weight_type_ = DType::kFloat32, bias_type_ = DType::kFloat32, peephole_type_ = DType::kFloat32,
        norm_type_ = DType::kFloat32;
};

}  // namespace

LstmOperands lstm_operands(const OpContext& context) {
  LstmOperands operands = cell_operands(context, 1);
  operands.state = present(context, 18);
  operands.cell_state = present(context, 19);
  operands.norm = four(context, 20);
  return operands;
}

LstmOperands bidirectional_operands(const OpContext& context, bool backward) {
  LstmOperands operands = cell_operands(context, backward ? 18 : 1);
  operands.state = present(context, backward ? 37 : 35);
  operands.cell_state = present(context, backward ? 38 : 36);
  operands.aux_weights = four(context, backward ? 44 : 40);
  operands.aux = present(context, 39);
  // Without auxiliary weights the auxiliary input is the backward cell's own input.
  if (operands.aux != kAbsent && operands.aux_weights[kForgetGate] == kAbsent) {
    if (backward) operands.input = operands.aux;
    operands.aux = kAbsent;
  }
  return operands;
}

Result<LstmCell> check_lstm(const OpContext& context, const LstmOperands& operands, const LstmSettings& settings,
                            const Sequence& sequence) {
  LstmCell cell;
  cell.operands = operands;
  cell.settings = settings;
  cell.sequence = sequence;
  FB_TRY(Checker(context, cell).run());
  return cell;
}

}  // namespace fewbits::ops::rnn
