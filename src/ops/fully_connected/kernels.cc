// prepare() of the fully_connected family.
#include "kernels/gemm_s8b4.h"
#include "ops/dynamic_rows.h"
#include "ops/fully_connected/op.h"
#include "ops/product.h"
#include "ops/row_kernel.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct DenseShape {
  size_t rows = 0, units = 0, depth = 0;
};

// One product. Kernel: a gemm kernel; kHybrid: float operands over an int8 kernel.
template <class GemmType, bool kHybrid>
class DenseKernel final : public RowKernel {
 public:
  using Row = typename ProductTypes<GemmType>::Row;
  using Out = std::conditional_t<kHybrid, float, typename ProductTypes<GemmType>::Out>;
  using Weight = typename GemmType::Weight;

  DenseKernel(const DenseShape& shape, ProductSpec spec, const WeightData& weights, bool symmetric)
      : shape_(shape),
        spec_(std::move(spec)),
        gemm_(select_gemm<GemmType>(spec_, shape_.rows, shape_.units, shape_.depth)),
        symmetric_(symmetric) {
    fill_args(spec_, args_);
    args_.m = shape_.rows;
    args_.n = shape_.units;
    args_.a.row_stride = shape_.depth;
    args_.a.tap_k = shape_.depth;
    args_.out_stride = shape_.units;
    const size_t packed_size = gemm_.packed_size(shape_.units, 1, shape_.depth);
    live_ = LiveWeights(weights, layout_);
    if (weights.data != nullptr) {
      const auto* data = static_cast<const Weight*>(weights.data);
      packed_ =
          PackedBytes(weights, pack_layout(gemm_, source(data)), packed_size, [&](std::byte* to) { pack(data, to); });
    } else {
      pack_ = layout_.add(packed_size);
    }
    bias_ = layout_.add(bias_space(spec_, shape_.units));
    if (kHybrid) {
      rows_ = layout_.add(shape_.rows * shape_.depth);
      scales_ = layout_.add(shape_.rows * sizeof(float));
      zero_points_ = layout_.add(shape_.rows * sizeof(int32_t));
    }
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const {
    return fmt::format("{}{}{}", kHybrid ? "hybrid " : "", gemm_.name,
                       packed_.data() == nullptr ? ", packed in every run" : "");
  }

  void run_rows(const RunArgs& run, RowsTo to) const noexcept override {
    auto args = args_;
    args.packed = packed_.data();
    if (args.packed == nullptr) {
      pack(static_cast<const Weight*>(live_.elements(run.in[1], run.workspace)), run.workspace + pack_);
      args.packed = run.workspace + pack_;
    }
    set_bias(args, widen_bias(spec_, spec_.has_bias ? run.in[2] : nullptr, shape_.units, run.workspace + bias_));
    args.out = out<Out>(run);
    if constexpr (kHybrid) {
      auto* rows = reinterpret_cast<int8_t*>(run.workspace + rows_);
      auto* scales = reinterpret_cast<float*>(run.workspace + scales_);
      auto* zero_points = reinterpret_cast<int32_t*>(run.workspace + zero_points_);
      quantize_rows(run.pool, in<float>(run, 0), shape_.rows, shape_.depth, symmetric_, rows, scales, zero_points);
      args.a.data = rows;
      args.row_scale = scales;
      if (!symmetric_) args.row_zero_point = zero_points;
    } else {
      args.a.data = in<Row>(run, 0);
    }
    run_gemm(run.pool, gemm_, args, to);
  }

 private:
  void pack(const Weight* weights, std::byte* to) const noexcept { gemm_.pack(source(weights), to); }
  GemmWeights<Weight> source(const Weight* weights) const noexcept {
    return {.data = weights,
            .n = shape_.units,
            .taps = 1,
            .tap_k = shape_.depth,
            .n_stride = shape_.depth,
            .k_stride = 1,
            .flip = spec_.flip};
  }

  DenseShape shape_;
  ProductSpec spec_;
  const GemmType& gemm_;
  bool symmetric_;
  typename GemmType::Args args_;
  PackedBytes packed_;  // empty: weights are packed in every run
  WorkspaceLayout layout_;
  LiveWeights live_;
  size_t pack_ = 0, bias_ = 0, rows_ = 0, scales_ = 0, zero_points_ = 0;
};

// Floats under int4 weights in blocks. Rows are quantized asymmetrically whatever the operator's option says, as LiteRT does.
class BlockwiseDenseKernel final : public RowKernel {
 public:
  BlockwiseDenseKernel(const DenseShape& shape, const ProductSpec& spec, const void* weights,
                       const BlockwiseWeights& blocks)
      : gemm_(select_gemm_s8b4(isa())) {
    // Not shared with other plans: weights and scales are two tensors, and packing them is quick.
    auto packed = allocate_pack(packed_b4_size(shape.units, shape.depth, blocks.block));
    pack_b4({.data = static_cast<const uint8_t*>(weights),
             .scales = blocks.scales,
             .n = shape.units,
             .k = shape.depth,
             .block = blocks.block},
            packed.get());
    packed_ = std::move(packed);
    args_ = {.a = {.row_stride = shape.depth, .tap_k = shape.depth},
             .m = shape.rows,
             .n = shape.units,
             .block = blocks.block,
             .packed = packed_.get(),
             .out_stride = shape.units,
             .lo = spec.float_limits.lo,
             .hi = spec.float_limits.hi};
    has_bias_ = spec.has_bias;
    rows_ = layout_.add(shape.rows * shape.depth);
    scales_ = layout_.add(shape.rows * sizeof(float));
    zero_points_ = layout_.add(shape.rows * sizeof(int32_t));
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const { return fmt::format("hybrid {}", gemm_.name); }

  void run_rows(const RunArgs& run, RowsTo to) const noexcept override {
    GemmS8B4Args args = args_;
    auto* rows = reinterpret_cast<int8_t*>(run.workspace + rows_);
    auto* scales = reinterpret_cast<float*>(run.workspace + scales_);
    auto* zero_points = reinterpret_cast<int32_t*>(run.workspace + zero_points_);
    quantize_rows(run.pool, in<float>(run, 0), args.m, args.a.tap_k, false, rows, scales, zero_points);
    args.a.data = rows;
    args.row_scale = scales;
    args.row_zero_point = zero_points;
    if (has_bias_) args.bias = in<float>(run, 2);
    args.out = out<float>(run);
    run_gemm(run.pool, gemm_, args, to);
  }

 private:
  const GemmS8B4Kernel& gemm_;
  std::shared_ptr<const std::byte> packed_;
  GemmS8B4Args args_;
  bool has_bias_ = false;
  WorkspaceLayout layout_;
  size_t rows_ = 0, scales_ = 0, zero_points_ = 0;
};

template <class Kernel>
Prepared prepared_dense(std::unique_ptr<Kernel> kernel) {
  Prepared prepared;
  prepared.workspace = kernel->workspace();
  prepared.choice = kernel->choice();
  prepared.kernel = std::move(kernel);
  return prepared;
}

template <class GemmType, bool kHybrid = false>
Prepared make_dense(const DenseShape& shape, ProductSpec spec, const WeightData& weights, bool symmetric = true) {
  return prepared_dense(std::make_unique<DenseKernel<GemmType, kHybrid>>(shape, std::move(spec), weights, symmetric));
}

}  // namespace

Result<Prepared> prepare_fully_connected(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &weights = context.inputs[1], &output = context.outputs[0];
  const auto* given = context.node->options->AsFullyConnectedOptions();
  const tflite::FullyConnectedOptionsT options = given != nullptr ? *given : tflite::FullyConnectedOptionsT();
  if (options.weights_format != tflite::FullyConnectedOptionsWeightsFormat::DEFAULT) {
    return context.fail(ErrorCode::kUnsupported,
                        "shuffled weights are not supported: convert the model again without them");
  }
  DenseShape shape{.depth = static_cast<size_t>(weights.dim(-1))};
  shape.units = weights.count() / shape.depth;
  shape.rows = input.count() / shape.depth;
  const TensorInfo* bias = context.has_input(2) ? &context.inputs[2] : nullptr;
  FB_ASSIGN(ProductSpec spec, product_spec(context, {input, weights, bias, output, static_cast<int32_t>(shape.units), 0,
                                                     options.fused_activation_function, true}));
  spec.rounding = Rounding::kOnce;
  spec.short_rule = ShortRule::kOnce;
  if (spec.scheme == Scheme::kHybrid && is_blockwise(weights)) {
    FB_ASSIGN(const BlockwiseWeights blocks, blockwise_weights(context, weights, shape.units, shape.depth));
    return prepared_dense(std::make_unique<BlockwiseDenseKernel>(shape, spec, weights.data, blocks));
  }
  FB_ASSIGN(const WeightData data, weight_data(context, weights));
  switch (spec.scheme) {
    case Scheme::kFloat: return make_dense<GemmF32Kernel>(shape, std::move(spec), data);
    case Scheme::kInt8:
    case Scheme::kUInt8: return make_dense<GemmS8Kernel>(shape, std::move(spec), data);
    case Scheme::kInt16: return make_dense<GemmS16S8Kernel>(shape, std::move(spec), data);
    case Scheme::kHybrid:
      return make_dense<GemmS8Kernel, true>(shape, std::move(spec), data, !options.asymmetric_quantize_inputs);
  }
  return unsupported_types(context);
}

}  // namespace fewbits::ops
