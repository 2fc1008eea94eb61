// prepare() and kernels of SVDF: a fully connected layer of low rank with memory. Every filter keeps its last `memory`
// activations; each run shifts them by one, appends the newest and weighs them over time.
#include <algorithm>
#include <cstring>

#include "kernels/fixed_point.h"
#include "ops/rnn/dense.h"
#include "ops/rnn/math.h"
#include "ops/rnn/op.h"
#include "ops/rnn/options.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

using namespace rnn;  // NOLINT: this file is the front of that namespace

enum Operand : size_t { kInput, kFeatureWeights, kTimeWeights, kBias, kState };

struct Svdf {
  size_t batch = 0, input = 0, filters = 0, units = 0, rank = 1, memory = 0;
  bool bias = false;
  tflite::ActivationFunctionType activation;
};

// Shifts a filter's memory and puts the newest activation at its end.
template <class T>
void remember(T* state, size_t memory, T newest) noexcept {
  std::memmove(state, state + 1, (memory - 1) * sizeof(T));
  state[memory - 1] = newest;
}

class FloatSvdf {
 public:
  FloatSvdf(const OpContext& context, const Svdf& svdf, bool asymmetric, Workspace& workspace)
      : svdf_(svdf),
        feature_(context, {kFeatureWeights}, svdf.filters, svdf.input, svdf.batch, asymmetric, workspace),
        quantized_time_(context.inputs[kTimeWeights].dtype != DType::kFloat32),
        time_scale_(context.inputs[kTimeWeights].scale()) {
    filtered_at_ = workspace.add<float>(svdf.batch * svdf.filters);
    if (quantized_time_) time_at_ = workspace.add<float>(svdf.filters * svdf.memory);
  }
  const char* kernel_name() const noexcept { return feature_.kernel_name(); }

  void run(const RunArgs& args) const noexcept {
    if (svdf_.batch == 0) return;
    feature_.begin_run(args);
    float* filtered = array_at<float>(args, filtered_at_);
    feature_.run(args, in<float>(args, kInput), svdf_.input, svdf_.batch, filtered, svdf_.filters);
    const float* time = time_weights(args);
    auto* state = static_cast<float*>(args.in[kState]);
    for (size_t b = 0; b < svdf_.batch; ++b) {
      float* row = out<float>(args) + b * svdf_.units;
      for (size_t unit = 0; unit < svdf_.units; ++unit) {
        float sum = 0.0f;
        for (size_t filter = unit * svdf_.rank; filter < (unit + 1) * svdf_.rank; ++filter) {
          float* memory = state + (b * svdf_.filters + filter) * svdf_.memory;
          remember(memory, svdf_.memory, filtered[b * svdf_.filters + filter]);
          float weighted = 0.0f;
          for (size_t i = 0; i < svdf_.memory; ++i) weighted += time[filter * svdf_.memory + i] * memory[i];
          sum += weighted;
        }
        row[unit] = svdf_.bias ? sum + in<float>(args, kBias)[unit] : sum;
      }
      apply_activation(svdf_.activation, row, svdf_.units);
    }
  }

 private:
  const float* time_weights(const RunArgs& args) const noexcept {
    if (!quantized_time_) return in<float>(args, kTimeWeights);
    float* time = array_at<float>(args, time_at_);
    for (size_t i = 0; i < svdf_.filters * svdf_.memory; ++i) {
      time[i] = static_cast<float>(in<int8_t>(args, kTimeWeights)[i]) * time_scale_;
    }
    return time;
  }

  Svdf svdf_;
  Dense feature_;
  bool quantized_time_;
  float time_scale_;
  size_t filtered_at_ = 0, time_at_ = 0;
};

class IntegerSvdf {
 public:
  IntegerSvdf(const OpContext& context, const Svdf& svdf, Workspace& workspace)
      : svdf_(svdf),
        feature_(context, {kFeatureWeights}, svdf.filters, svdf.input, context.inputs[kInput].zero_point(), workspace),
        output_zero_point_(context.outputs[0].zero_point()) {
    const auto scale = [&](size_t i) { return static_cast<double>(context.inputs[i].scale()); };
    to_state_ = quantize_multiplier(scale(kInput) * scale(kFeatureWeights) / scale(kState));
    to_output_ =
        quantize_multiplier(scale(kState) * scale(kTimeWeights) / static_cast<double>(context.outputs[0].scale()));
    filtered_at_ = workspace.add<int32_t>(svdf.batch * svdf.filters);
  }
  const char* kernel_name() const noexcept { return feature_.kernel_name(); }

  void run(const RunArgs& args) const noexcept {
    if (svdf_.batch == 0) return;
    feature_.begin_run(args);
    auto* filtered = array_at<int32_t>(args, filtered_at_);
    feature_.run(args, in<int8_t>(args, kInput), svdf_.input, svdf_.batch, filtered, svdf_.filters);
    auto* state = static_cast<int16_t*>(args.in[kState]);
    for (size_t b = 0; b < svdf_.batch; ++b) {
      for (size_t unit = 0; unit < svdf_.units; ++unit) {
        uint32_t sum = svdf_.bias ? static_cast<uint32_t>(in<int32_t>(args, kBias)[unit]) : 0;
        for (size_t filter = unit * svdf_.rank; filter < (unit + 1) * svdf_.rank; ++filter) {
          int16_t* memory = state + (b * svdf_.filters + filter) * svdf_.memory;
          const int32_t newest = multiply_by_quantized_multiplier(filtered[b * svdf_.filters + filter], to_state_);
          remember(memory, svdf_.memory, static_cast<int16_t>(std::clamp(newest, -32768, 32767)));
          const int16_t* time = in<int16_t>(args, kTimeWeights) + filter * svdf_.memory;
          for (size_t i = 0; i < svdf_.memory; ++i) sum += static_cast<uint32_t>(int32_t{time[i]} * memory[i]);
        }
        const int32_t scaled = multiply_by_quantized_multiplier(static_cast<int32_t>(sum), to_output_);
        const int64_t value = int64_t{scaled} + output_zero_point_;
        out<int8_t>(args)[b * svdf_.units + unit] = static_cast<int8_t>(std::clamp<int64_t>(value, -128, 127));
      }
    }
  }

 private:
  Svdf svdf_;
  IntegerDense feature_;
  int32_t output_zero_point_;
  FixedMultiplier to_state_, to_output_;
  size_t filtered_at_ = 0;
};

Result<Svdf> check_shapes(const OpContext& context) {
  const auto options = svdf_options(context);
  for (size_t i : {kInput, kFeatureWeights, kTimeWeights, kState}) {
    if (!context.has_input(i)) {
      return context.fail(ErrorCode::kInvalidModel, "operand {} is missing", static_cast<int>(i));
    }
  }
  const TensorInfo& input = context.inputs[kInput];
  const TensorInfo& feature = context.inputs[kFeatureWeights];
  const TensorInfo& time = context.inputs[kTimeWeights];
  const TensorInfo& state = context.inputs[kState];
  if (input.rank() != 2 || feature.rank() != 2 || time.rank() != 2 || input.dim(1) == 0 || feature.dim(0) == 0 ||
      time.dim(1) == 0 || input.dim(1) != feature.dim(1) || time.dim(0) != feature.dim(0)) {
    return context.fail(ErrorCode::kInvalidModel, "the shapes {}, {}, {} do not fit together", shape_text(input.shape),
                        shape_text(feature.shape), shape_text(time.shape));
  }
  if (options.rank <= 0 || feature.dim(0) % options.rank != 0) {
    return context.fail(ErrorCode::kInvalidModel, "{} filters are not of rank {}", feature.dim(0), options.rank);
  }
  Svdf svdf;
  svdf.batch = static_cast<size_t>(input.dim(0));
  svdf.input = static_cast<size_t>(input.dim(1));
  svdf.filters = static_cast<size_t>(feature.dim(0));
  svdf.rank = static_cast<size_t>(options.rank);
  svdf.units = svdf.filters / svdf.rank;
  svdf.memory = static_cast<size_t>(time.dim(1));
  svdf.bias = context.has_input(kBias);
  svdf.activation = options.fused_activation_function;
  if (svdf.bias && context.inputs[kBias].shape != Shape{feature.dim(0) / options.rank}) {
    return context.fail(ErrorCode::kInvalidModel, "the bias {} does not fit {} units",
                        shape_text(context.inputs[kBias].shape), svdf.units);
  }
  if (!state.is_variable || state.count() != svdf.batch * svdf.filters * svdf.memory) {
    return context.fail(ErrorCode::kInvalidModel, "the state must be a variable of {} * {} * {} elements", svdf.batch,
                        svdf.filters, svdf.memory);
  }
  return svdf;
}

template <class Kernel>
Prepared make_svdf(Kernel kernel, const char* form, const Workspace& workspace) {
  std::string choice = fmt::format("svdf {} {}", form, kernel.kernel_name());
  return make_kernel([kernel = std::move(kernel)](const RunArgs& args) noexcept { kernel.run(args); },
                     std::move(choice), workspace.size());
}

}  // namespace

Result<Prepared> prepare_svdf(const OpContext& context) {
  FB_ASSIGN(const Svdf svdf, check_shapes(context));
  const auto types_are = [&](DType input, DType feature, DType time, DType bias, DType state, DType output) {
    return context.inputs[kInput].dtype == input && context.inputs[kFeatureWeights].dtype == feature &&
           context.inputs[kTimeWeights].dtype == time && (!svdf.bias || context.inputs[kBias].dtype == bias) &&
           context.inputs[kState].dtype == state && context.outputs[0].dtype == output;
  };
  constexpr DType f = DType::kFloat32, i8 = DType::kInt8, u8 = DType::kUInt8, i16 = DType::kInt16;
  Workspace workspace;
  if (types_are(f, f, f, f, f, f)) return make_svdf(FloatSvdf(context, svdf, false, workspace), "float", workspace);
  const bool hybrid = types_are(f, i8, i8, f, f, f) || types_are(f, u8, u8, f, f, f);
  if (!hybrid && !types_are(i8, i8, i16, DType::kInt32, i16, i8)) return unsupported_types(context);
  FB_TRY(require_per_tensor(context, context.inputs[kFeatureWeights], "the feature weights"));
  FB_TRY(require_per_tensor(context, context.inputs[kTimeWeights], "the time weights"));
  if (hybrid) {
    const bool asymmetric = svdf_options(context).asymmetric_quantize_inputs;
    return make_svdf(FloatSvdf(context, svdf, asymmetric, workspace), "hybrid", workspace);
  }
  FB_TRY(require_per_tensor(context, context.inputs[kInput], "the input"));
  FB_TRY(require_per_tensor(context, context.inputs[kState], "the state"));
  FB_TRY(require_per_tensor(context, context.outputs[0], "the output"));
  if (svdf.activation != tflite::ActivationFunctionType::RELU) {
    return context.fail(ErrorCode::kUnsupported, "the integer form has no activation but RELU");
  }
  return make_svdf(IntegerSvdf(context, svdf, workspace), "int8", workspace);
}

}  // namespace fewbits::ops
