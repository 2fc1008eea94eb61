// The OpDef table of the recurrent family.
#include "ops/rnn/op.h"

#include "ops/rnn/options.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

bool hybrid(const OpContext& context, size_t weights) {
  return context.inputs[0].dtype == DType::kFloat32 && context.has_input(weights) &&
         context.inputs[weights].dtype == DType::kInt8 && context.outputs[0].dtype == DType::kFloat32;
}

int32_t lstm_version(const OpContext& context) {
  const auto options = rnn::lstm_options(context);
  if (options.kernel_type == tflite::LSTMKernelType::BASIC) return 2;
  if (hybrid(context, 2)) return options.asymmetric_quantize_inputs ? 4 : 3;
  return 1;
}
int32_t sequence_lstm_version(const OpContext& context) {
  const auto options = rnn::sequence_lstm_options(context);
  if (options.diagonal_recurrent_tensors) return 4;
  if (hybrid(context, 2)) return options.asymmetric_quantize_inputs ? 3 : 2;
  return 1;
}
int32_t bidirectional_lstm_version(const OpContext& context) {
  if (!hybrid(context, 2)) return 1;
  return rnn::bidirectional_lstm_options(context).asymmetric_quantize_inputs ? 3 : 2;
}
int32_t rnn_version(const OpContext& context) {
  if (!hybrid(context, 1)) return 1;
  return rnn::rnn_options(context).asymmetric_quantize_inputs ? 3 : 2;
}
int32_t sequence_rnn_version(const OpContext& context) {
  if (!hybrid(context, 1)) return 1;
  return rnn::sequence_rnn_options(context).asymmetric_quantize_inputs ? 3 : 2;
}
int32_t bidirectional_rnn_version(const OpContext& context) {
  if (!hybrid(context, 1)) return 1;
  return rnn::bidirectional_rnn_options(context).asymmetric_quantize_inputs ? 3 : 2;
}
int32_t svdf_version(const OpContext& context) {
  if (context.inputs[0].dtype == DType::kInt8) return 3;
  if (!hybrid(context, 1)) return 1;
  return rnn::svdf_options(context).asymmetric_quantize_inputs ? 4 : 2;
}

std::vector<int8_t> range(std::initializer_list<std::pair<int8_t, int8_t>> ranges) {
  std::vector<int8_t> result;
  for (auto [first, last] : ranges) {
    for (int8_t i = first; i <= last; ++i) result.push_back(i);
  }
  return result;
}

// Every kernel wants all its weights in one type: hybrid is all or none. Scales are per tensor.
QuantRule hybrid_rule(std::vector<int8_t> weights) {
  return {.hybrid_weights = std::move(weights), .hybrid_all_or_none = true};
}
QuantRule custom_rule(const char* custom, std::vector<int8_t> weights) {
  QuantRule rule = hybrid_rule(std::move(weights));
  rule.int8 = true;
  rule.custom = custom;
  return rule;
}

const OpDef kOps[] = {
    {.op = Op::LSTM,
     .inputs = {5, 24},
     .outputs = {1, 4},
     .flags = kOptionalInputs,
     .infer = infer_lstm,
     .prepare = prepare_lstm,
     .version = lstm_version,
     .quant = custom_rule("lstm", range({{1, 11}, {16, 16}}))},
    {.op = Op::UNIDIRECTIONAL_SEQUENCE_LSTM,
     .inputs = {20, 24},
     .flags = kOptionalInputs,
     .infer = infer_sequence_lstm,
     .prepare = prepare_sequence_lstm,
     .version = sequence_lstm_version,
     .quant = custom_rule("lstm", range({{1, 11}, {16, 16}}))},
    {.op = Op::BIDIRECTIONAL_SEQUENCE_LSTM,
     .inputs = {48, 48},
     .outputs = {1, 2},
     .flags = kOptionalInputs,
     .infer = infer_bidirectional_lstm,
     .prepare = prepare_bidirectional_lstm,
     .version = bidirectional_lstm_version,
     .quant = hybrid_rule(range({{1, 11}, {16, 16}, {18, 28}, {33, 33}, {40, 47}}))},
    {.op = Op::RNN,
     .inputs = {5, 5},
     .flags = kOptionalInputs,
     .infer = infer_rnn,
     .prepare = prepare_rnn,
     .version = rnn_version,
     .quant = hybrid_rule({1, 2})},
    {.op = Op::UNIDIRECTIONAL_SEQUENCE_RNN,
     .inputs = {5, 5},
     .flags = kOptionalInputs,
     .infer = infer_sequence_rnn,
     .prepare = prepare_sequence_rnn,
     .version = sequence_rnn_version,
     .quant = hybrid_rule({1, 2})},
    {.op = Op::BIDIRECTIONAL_SEQUENCE_RNN,
     .inputs = {12, 12},
     .outputs = {1, 2},
     .flags = kOptionalInputs,
     .infer = infer_bidirectional_rnn,
     .prepare = prepare_bidirectional_rnn,
     .version = bidirectional_rnn_version,
     .quant = hybrid_rule({1, 2, 5, 6, 10, 11})},
    {.op = Op::SVDF,
     .inputs = {5, 5},
     .flags = kOptionalInputs,
     .infer = infer_svdf,
     .prepare = prepare_svdf,
     .version = svdf_version,
     .quant = custom_rule("svdf", {1, 2})},
};

}  // namespace

std::span<const OpDef> rnn_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
