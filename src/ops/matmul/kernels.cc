// prepare() of the matmul family.
#include <algorithm>

#include "ops/dynamic_rows.h"
#include "ops/matmul/int16.h"
#include "ops/matmul/op.h"
#include "ops/matmul/shape.h"
#include "ops/product.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Batched products by a gemm kernel; kHybrid: float operands over an int8 kernel. Out: of the kernel, float or int32.
template <class GemmType, class Out, bool kHybrid>
class MatmulKernel final : public Kernel {
 public:
  using Row = typename ProductTypes<GemmType>::Row;
  using In = std::conditional_t<kHybrid, float, Row>;
  using Weight = typename GemmType::Weight;

  MatmulKernel(MatmulShape shape, ProductSpec spec, const WeightData& right, bool symmetric)
      : shape_(std::move(shape)),
        spec_(std::move(spec)),
        gemm_(select_gemm<GemmType>(spec_, shape_.rows, shape_.columns, shape_.depth)),
        symmetric_(symmetric) {
    fill_args(spec_, args_);
    if constexpr (std::is_same_v<Out, int32_t>) args_.output = GemmS8Output::kInt32;
    args_.m = shape_.rows;
    args_.n = shape_.columns;
    args_.a.row_stride = shape_.depth;
    args_.a.tap_k = shape_.depth;
    args_.out_stride = shape_.columns;
    packed_stride_ = gemm_.packed_size(shape_.columns, 1, shape_.depth);
    packed_stride_ = (packed_stride_ + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
    live_ = LiveWeights(right, layout_);
    if (right.data != nullptr) {
      const auto* data = static_cast<const Weight*>(right.data);
      packed_ =
          PackedBytes(right, fmt::format("{} x{}", pack_layout(gemm_, slice_weights(data, 0)), shape_.right_slices),
                      packed_stride_ * shape_.right_slices, [&](std::byte* to) {
                        for (size_t i = 0; i < shape_.right_slices; ++i) pack(data, i, to);
                      });
    } else {
      pack_ = layout_.add(packed_stride_ * shape_.right_slices);
    }
    const size_t rows = shape_.left_slices * shape_.rows;
    if (shape_.adj_x) swapped_ = layout_.add(rows * shape_.depth * sizeof(In));
    if (kHybrid) {
      quantized_ = layout_.add(rows * shape_.depth);
      scales_ = layout_.add(rows * sizeof(float));
      zero_points_ = layout_.add(rows * sizeof(int32_t));
    }
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const {
    return fmt::format("{}{}{}", kHybrid ? "hybrid " : "", gemm_.name,
                       packed_.data() == nullptr ? ", packed in every run" : "");
  }

  void run(const RunArgs& run) const noexcept override {
    auto args = args_;
    const std::byte* packed = packed_.data();
    if (packed == nullptr) {
      const auto* right = static_cast<const Weight*>(live_.elements(run.in[1], run.workspace));
      parallel_for(run.pool, shape_.right_slices, 1, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) pack(right, i, run.workspace + pack_);
      });
      packed = run.workspace + pack_;
    }
    const Row* left = left_rows(run, args);
    // Slices are spread over threads where they are enough to go round; else each product is.
    const size_t threads = run.pool == nullptr ? 1 : static_cast<size_t>(run.pool->threads());
    if (shape_.slices() >= 2 * threads) {
      parallel_for(run.pool, shape_.slices(), 1, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) multiply(nullptr, args, i, left, packed, out<Out>(run));
      });
    } else {
      for (size_t i = 0; i < shape_.slices(); ++i) multiply(run.pool, args, i, left, packed, out<Out>(run));
    }
  }

 private:
  using Args = typename GemmType::Args;

  void pack(const Weight* right, size_t slice, std::byte* to) const noexcept {
    gemm_.pack(slice_weights(right, slice), to + slice * packed_stride_);
  }
  GemmWeights<Weight> slice_weights(const Weight* right, size_t slice) const noexcept {
    const size_t n = shape_.columns, k = shape_.depth;
    return {.data = right + slice * n * k,
            .n = n,
            .taps = 1,
            .tap_k = k,
            .n_stride = shape_.adj_y ? k : 1,
            .k_stride = shape_.adj_y ? 1 : n,
            .flip = spec_.flip};
  }

  // The left operand as rows: swapped and quantized where that is needed.
  const Row* left_rows(const RunArgs& run, Args& args) const noexcept {
    const In* rows = in<In>(run, 0);
    if (shape_.adj_x) {
      auto* swapped = reinterpret_cast<In*>(run.workspace + swapped_);
      swap_matrices(run.pool, rows, shape_.left_slices, shape_.depth, shape_.rows, swapped);
      rows = swapped;
    }
    if constexpr (kHybrid) {
      auto* quantized = reinterpret_cast<int8_t*>(run.workspace + quantized_);
      auto* scales = reinterpret_cast<float*>(run.workspace + scales_);
      auto* zero_points = reinterpret_cast<int32_t*>(run.workspace + zero_points_);
      quantize_rows(run.pool, rows, shape_.left_slices * shape_.rows, shape_.depth, symmetric_, quantized, scales,
                    zero_points);
      args.row_scale = scales;
      if (!symmetric_) args.row_zero_point = zero_points;
      return quantized;
    } else {
      return rows;
    }
  }

  void multiply(const ThreadPool* pool, Args args, size_t slice, const Row* left, const std::byte* packed,
                Out* to) const noexcept {
    const size_t first_row = shape_.left_of[slice] * shape_.rows;
    args.a.data = left + first_row * shape_.depth;
    args.packed = packed + shape_.right_of[slice] * packed_stride_;
    args.out = to + slice * shape_.rows * shape_.columns;
    if constexpr (kHybrid) {
      args.row_scale += first_row;
      if (args.row_zero_point != nullptr) args.row_zero_point += first_row;
    }
    run_gemm(pool, gemm_, args);
  }

  MatmulShape shape_;
  ProductSpec spec_;
  const GemmType& gemm_;
  bool symmetric_;
  Args args_;
  PackedBytes packed_;  // empty: y is packed in every run
  size_t packed_stride_ = 0;
  WorkspaceLayout layout_;
  LiveWeights live_;
  size_t pack_ = 0, swapped_ = 0, quantized_ = 0, scales_ = 0, zero_points_ = 0;
};

template <class GemmType, class Out, bool kHybrid = false>
Prepared make_matmul(MatmulShape shape, ProductSpec spec, const WeightData& right, bool symmetric = true) {
  auto kernel =
      std::make_unique<MatmulKernel<GemmType, Out, kHybrid>>(std::move(shape), std::move(spec), right, symmetric);
  Prepared prepared;
  prepared.workspace = kernel->workspace();
  prepared.choice = kernel->choice();
  prepared.kernel = std::move(kernel);
  return prepared;
}

Result<Prepared> prepare_int16(const OpContext& context, MatmulShape shape) {
  const TensorInfo &x = context.inputs[0], &y = context.inputs[1], &output = context.outputs[0];
  FB_TRY(require_type(context, output, "the output", {DType::kInt16}));
  for (const TensorInfo* tensor : {&x, &y, static_cast<const TensorInfo*>(&output)}) {
    FB_TRY(require_per_tensor(context, *tensor, "each operand"));
  }
  const double real =
      static_cast<double>(x.scale()) * static_cast<double>(y.scale()) / static_cast<double>(output.scale());
  if (x.zero_point() != 0 || y.zero_point() != 0 || !(real < 128)) {
    return context.fail(ErrorCode::kUnsupported,
                        "int16 operands must have the zero point 0 and a scale near the output's");
  }
  const size_t k = shape.depth;
  WorkspaceLayout layout;
  const size_t left = shape.adj_x ? layout.add(shape.left_slices * shape.rows * k * sizeof(int16_t)) : 0;
  const size_t right = shape.adj_y ? 0 : layout.add(shape.right_slices * shape.columns * k * sizeof(int16_t));
  const Int16Product product{.multiplier = quantize_multiplier(real), .out_zero_point = output.zero_point()};
  return make_kernel(
      [shape = std::move(shape), product, left, right](const RunArgs& args) noexcept {
        auto* x_rows = reinterpret_cast<int16_t*>(args.workspace + left);
        auto* y_rows = reinterpret_cast<int16_t*>(args.workspace + right);
        run_int16_matmul(args.pool, shape, product, in<int16_t>(args, 0), in<int16_t>(args, 1), x_rows, y_rows,
                         out<int16_t>(args));
      },
      "matmul int16", layout.size());
}

}  // namespace

Result<Prepared> prepare_batch_matmul(const OpContext& context) {
  const TensorInfo &x = context.inputs[0], &y = context.inputs[1], &output = context.outputs[0];
  FB_ASSIGN(MatmulShape shape, matmul_shape(context));
  if (x.dtype == DType::kInt16 && y.dtype == DType::kInt16) return prepare_int16(context, std::move(shape));
  FB_ASSIGN(const WeightData data, weight_data(context, y));
  if (x.dtype == DType::kInt8 && y.dtype == DType::kInt8 && output.dtype == DType::kInt32) {
    return make_matmul<GemmS8Kernel, int32_t>(std::move(shape), {.scheme = Scheme::kInt8}, data);
  }
  const int32_t axis = y.rank() - (shape.adj_y ? 2 : 1);
  FB_ASSIGN(ProductSpec spec, product_spec(context, {x, y, nullptr, output, static_cast<int32_t>(shape.columns), axis,
                                                     tflite::ActivationFunctionType::NONE, true}));
  const auto* options = context.node->options->AsBatchMatMulOptions();
  switch (spec.scheme) {
    case Scheme::kFloat: return make_matmul<GemmF32Kernel, float>(std::move(shape), std::move(spec), data);
    case Scheme::kInt8:
    case Scheme::kUInt8: return make_matmul<GemmS8Kernel, int8_t>(std::move(shape), std::move(spec), data);
    case Scheme::kHybrid:
      return make_matmul<GemmS8Kernel, float, true>(std::move(shape), std::move(spec), data,
                                                    options == nullptr || !options->asymmetric_quantize_inputs);
    case Scheme::kInt16: break;
  }
  return unsupported_types(context);
}

}  // namespace fewbits::ops
