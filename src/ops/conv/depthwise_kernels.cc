// prepare() of DEPTHWISE_CONV_2D, and of CONV_2D with one input channel a group.
#include <algorithm>

#include "ops/conv/conv_kernels.h"
#include "ops/conv/offset_table.h"
#include "ops/conv/op.h"
#include "ops/row_kernel.h"

namespace fewbits::ops {
namespace {

template <class Kernel>
const Kernel& select_depthwise(size_t channels, int32_t weight_zero_point) noexcept;
template <>
const DepthwiseF32Kernel& select_depthwise(size_t channels, int32_t) noexcept {
  return select_depthwise_f32(isa(), 1, channels);
}
template <>
const DepthwiseS8Kernel& select_depthwise(size_t channels, int32_t weight_zero_point) noexcept {
  return select_depthwise_s8(isa(), 1, weight_zero_point, channels);
}
template <>
const DepthwiseS16S8Kernel& select_depthwise(size_t, int32_t) noexcept {
  return select_depthwise_s16s8(isa(), 1);
}

// One depthwise convolution. A depth multiplier above 1 is computed as 1 on an image whose channels are repeated in
// workspace: that is a small part of the work, and lets every kernel take channels in vectors.
template <class DepthwiseType, bool kHybrid>
class DepthwiseConvKernel final : public RowKernel {
 public:
  using Row = typename ProductTypes<DepthwiseType>::Row;
  using In = std::conditional_t<kHybrid, float, Row>;
  using Out = std::conditional_t<kHybrid, float, typename ProductTypes<DepthwiseType>::Out>;
  using Weight = typename DepthwiseType::Weight;

  // weights: [taps][channels].
  DepthwiseConvKernel(const ConvGeometry& geometry, ProductSpec spec, const WeightData& weights, bool symmetric)
      : geometry_(geometry),
        spec_(std::move(spec)),
        kernel_(select_depthwise<DepthwiseType>(static_cast<size_t>(geometry.out_channels), spec_.weight_zero_point)),
        multiplier_(static_cast<size_t>(geometry.out_channels / geometry.in_channels)) {
    const auto channels = static_cast<size_t>(geometry_.out_channels);
    ConvGeometry repeated = geometry_;
    repeated.in_channels = geometry_.out_channels;
    table_ = OffsetTable(repeated);
    fill_args(spec_, args_);
    args_.in.taps = geometry_.taps();
    if (geometry_.stride[2] == geometry_.dilation[2]) {
      args_.in.shared_columns = static_cast<size_t>(geometry_.filter[2]);
      args_.in.line = static_cast<size_t>(geometry_.out[2]);
    }
    args_.channels = channels;
    args_.out_stride = channels;
    padding_.assign(channels, static_cast<Row>(spec_.in_zero_point ^ (spec_.flip != 0 ? -128 : 0)));
    const size_t packed_size = kernel_.packed_size(geometry_.taps(), channels, args_.in.shared_columns);
    live_ = LiveWeights(weights, layout_);
    if (weights.data != nullptr) {
      packed_ = PackedBytes(weights,
                            fmt::format("{} {} {} {} {} {}", kernel_.name, geometry_.taps(), channels, spec_.flip,
                                        spec_.weight_zero_point, args_.in.shared_columns),
                            packed_size, [&](std::byte* to) { pack(static_cast<const Weight*>(weights.data), to); });
    } else {
      pack_ = layout_.add(packed_size);
    }
    bias_ = layout_.add(bias_space(spec_, channels));
    offsets_ = layout_.add(table_.workspace());
    if (kHybrid) hybrid_ = HybridImage(geometry_.in_image(), channels, symmetric, layout_);
    if (multiplier_ > 1) repeated_ = layout_.add(repeated.in_image() * sizeof(Row));
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const {
    return fmt::format("{}{}{}", kHybrid ? "hybrid " : "", kernel_.name, multiplier_ > 1 ? " repeated channels" : "");
  }

  void run_rows(const RunArgs& run, RowsTo rows) const noexcept override {
    if (packed_.data() == nullptr) {
      pack(static_cast<const Weight*>(live_.elements(run.in[1], run.workspace)), run.workspace + pack_);
    }
    for (size_t n = 0; n < static_cast<size_t>(geometry_.batch); ++n) {
      open_image(run, n);
      convolve(run, {n, 0, geometry_.out_lines()}, rows);
    }
  }

  LineShape lines() const noexcept override {
    const bool kept = table_.band_lines() >= geometry_.out_lines();
    if (packed_.data() == nullptr || spec_.narrow_bias || !kept) return {};
    LineShape shape = line_shape(geometry_, sizeof(In), sizeof(Out));
    if (!kHybrid && multiplier_ == 1) shape.reads = LineShape::Reads::kRing;
    return shape;
  }
  void keep_ring(size_t lines) override {
    table_.keep_ring(static_cast<int32_t>(lines));
    ring_ = true;
  }
  // The image as the kernel reads it: quantized if hybrid, its channels repeated by the depth multiplier.
  void open_image(const RunArgs& run, size_t n) const noexcept override {
    const In* input = in<In>(run, 0) + n * geometry_.in_image();
    if constexpr (kHybrid)
      hybrid_.quantize(run.pool, input, static_cast<size_t>(geometry_.in_channels), nullptr, run.workspace);
    if (multiplier_ == 1) return;
    constexpr size_t kGrain = 4096;
    const Row* image;
    if constexpr (kHybrid) {
      image = hybrid_.image(run.workspace);
    } else {
      image = input;
    }
    auto* repeated = reinterpret_cast<Row*>(run.workspace + repeated_);
    parallel_for(run.pool, geometry_.in_image(), kGrain, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) std::fill_n(repeated + i * multiplier_, multiplier_, image[i]);
    });
  }
  void run_lines(const RunArgs& run, const LineRange& lines, RowsTo rows) const noexcept override {
    convolve(run, lines, rows);
  }

 private:
  using Args = typename DepthwiseType::Args;

  void pack(const Weight* weights, std::byte* to) const noexcept {
    kernel_.pack({.data = weights,
                  .taps = geometry_.taps(),
                  .channels = args_.channels,
                  .flip = spec_.flip,
                  .zero_point = spec_.weight_zero_point,
                  .shared_columns = args_.in.shared_columns},
                 to);
  }

  // What a run says about itself.
  Args open_args(const RunArgs& run) const noexcept {
    Args args = args_;
    set_bias(args, widen_bias(spec_, spec_.has_bias ? run.in[2] : nullptr, args.channels, run.workspace + bias_));
    args.packed = packed_.data() != nullptr ? packed_.data() : run.workspace + pack_;
    args.in.padding = padding_.data();
    if constexpr (kHybrid) {
      args.in.padding = hybrid_.padding(run.workspace);
      args.in_scale = hybrid_.params(run.workspace).scale;
      args.in_zero_point = hybrid_.params(run.workspace).zero_point;
    }
    return args;
  }
  // Where the image lies that open_image() has made ready.
  const Row* image(const RunArgs& run, size_t n) const noexcept {
    if (multiplier_ > 1) return reinterpret_cast<const Row*>(run.workspace + repeated_);
    if constexpr (kHybrid) return hybrid_.image(run.workspace);
    return ring_ ? in<Row>(run, 0) : in<Row>(run, 0) + n * geometry_.in_image();
  }

  // Some lines of an image that open_image() has made ready.
  void convolve(const RunArgs& run, const LineRange& lines, RowsTo rows) const noexcept {
    Args args = open_args(run);
    args.in.data = image(run, lines.image);
    const size_t width = static_cast<size_t>(geometry_.out[2]);
    for (size_t begin = lines.begin; begin < lines.end; begin += table_.band_lines()) {
      const size_t end = std::min(begin + table_.band_lines(), lines.end);
      const size_t first = (lines.image * geometry_.out_lines() + begin) * width;
      args.in.offsets = table_.lines(begin, end, run.pool, run.workspace + offsets_);
      args.rows = (end - begin) * width;
      args.out = out<Out>(run) + first * args.channels;
      run_depthwise(run.pool, kernel_, args, rows.from(first));
    }
  }

  ConvGeometry geometry_;
  ProductSpec spec_;
  const DepthwiseType& kernel_;
  size_t multiplier_;
  OffsetTable table_;
  Args args_;
  std::vector<Row> padding_;
  PackedBytes packed_;  // empty: weights are packed in every run
  WorkspaceLayout layout_;
  LiveWeights live_;
  size_t pack_ = 0, bias_ = 0, offsets_ = 0, repeated_ = 0;
  bool ring_ = false;
  HybridImage hybrid_;
};

template <class DepthwiseType, bool kHybrid = false>
Prepared make_depthwise(const OpContext& context, ConvCase& conv, WeightData weights, bool symmetric) {
  using Weight = typename DepthwiseType::Weight;
  std::vector<Weight> by_taps;  // CONV_2D has [channels][taps]
  if (context.node->op == Op::CONV_2D) {
    const size_t taps = conv.geometry.taps(), channels = static_cast<size_t>(conv.geometry.out_channels);
    by_taps.resize(taps * channels);
    for (size_t c = 0; c < channels; ++c) {
      for (size_t t = 0; t < taps; ++t)
        by_taps[t * channels + c] = static_cast<const Weight*>(weights.data)[c * taps + t];
    }
    weights.data = by_taps.data();
    weights.lasting = false;
  }
  auto kernel = std::make_unique<DepthwiseConvKernel<DepthwiseType, kHybrid>>(conv.geometry, std::move(conv.spec),
                                                                              weights, symmetric);
  Prepared prepared;
  prepared.workspace = kernel->workspace();
  prepared.choice = kernel->choice();
  prepared.kernel = std::move(kernel);
  return prepared;
}

}  // namespace

Result<Prepared> prepare_depthwise_rows(const OpContext& context, ConvCase& conv, bool symmetric) {
  const ConvGeometry& g = conv.geometry;
  const auto elements = checked_count(Shape{g.in[0], g.in[1], g.in[2], g.out_channels});
  if (!elements || *elements > INT32_MAX) {
    return context.fail(ErrorCode::kUnsupported, "an image of {} with {} output channels has more than 2^31 elements",
                        shape_text(context.inputs[0].shape), g.out_channels);
  }
  FB_ASSIGN(WeightData data, weight_data(context, context.inputs[1]));
  switch (conv.spec.scheme) {
    case Scheme::kFloat: return make_depthwise<DepthwiseF32Kernel>(context, conv, std::move(data), false);
    case Scheme::kInt8:
    case Scheme::kUInt8: return make_depthwise<DepthwiseS8Kernel>(context, conv, std::move(data), false);
    case Scheme::kInt16: return make_depthwise<DepthwiseS16S8Kernel>(context, conv, std::move(data), false);
    case Scheme::kHybrid: return make_depthwise<DepthwiseS8Kernel, true>(context, conv, std::move(data), symmetric);
  }
  return unsupported_types(context);
}

Result<Prepared> prepare_depthwise(const OpContext& context) {
  FB_ASSIGN(const ConvGeometry geometry, conv_geometry(context));
  FB_ASSIGN(ConvCase conv, conv_case(context, geometry, 3));
  // With one input channel every output channel sees the same pixels: an ordinary product.
  if (geometry.in_channels == 1) return prepare_gemm_conv(context, geometry, std::move(conv.spec));
  return prepare_depthwise_rows(context, conv, false);
}

}  // namespace fewbits::ops
