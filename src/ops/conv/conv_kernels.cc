// prepare() of CONV_2D and CONV_3D: products of rows, straight from the input or gathered through a table of offsets.
#include <algorithm>

#include "ops/conv/conv_kernels.h"
#include "ops/conv/offset_table.h"
#include "ops/conv/op.h"
#include "ops/row_kernel.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Up to this many channels the columns of a filter are merged into one tap even if that needs a copy of the image: a
// quarter off the 3x3 int8 convolutions of ResNet-8 (16 to 64 channels), a twelfth off the float ones, nothing beyond.
constexpr int32_t kFewChannels = 32;

// How a convolution becomes products.
struct ConvPlan {
  ConvGeometry geometry;    // the operator's
  ConvGeometry gather;      // what the offsets are made for: the filter's columns may be merged, the lines copied
  bool direct = false;      // rows are the input's pixels: no offsets
  bool copy_lines = false;  // lines are copied to workspace with their padding, gather.in[2] pixels long
  bool symmetric = false;   // hybrid
  bool runs = false;        // a line of outputs is a run of rows (GemmRows::run)
  size_t n = 0, taps = 1, tap_k = 0;  // the product of one group
  FilterStrides strides;

  size_t groups() const noexcept { return static_cast<size_t>(geometry.groups); }
  // The product's depth where it is made of channels. Filters over few of them (a spectrogram's over one) are as fast in float32,
  // and what follows them may well be the logarithm of a difference.
  size_t depth_in_channels() const noexcept { return geometry.in_channels < kFewChannels ? 0 : taps * tap_k; }
};

// How many lines the windows of all outputs reach over.
int64_t lines_of_windows(const ConvGeometry& g) noexcept {
  return int64_t{g.out[1] - 1} * g.stride[1] + int64_t{g.filter[1] - 1} * g.dilation[1] + 1;
}

// Whether lines of outputs are long and deep enough to be runs, in a copy of the image that 32 bits can address.
bool may_run(const ConvGeometry& g, size_t least_run) noexcept {
  if (least_run == 0 || static_cast<size_t>(g.out[2]) < least_run || g.groups != 1) return false;
  if (g.in_channels == 0 || g.in_channels % 64 != 0) return false;
  const int64_t width = int64_t{g.in[2]} + g.filter[2];
  return g.in[0] == 1 && g.filter[0] == 1 && g.pad[0] == 0 &&
         lines_of_windows(g) <= INT32_MAX / (width * g.in_channels);
}

// least_run: of the kernel.
ConvPlan plan_conv(const ConvGeometry& g, const FilterStrides& strides, size_t least_run) {
  ConvPlan plan{.geometry = g, .gather = g, .strides = strides};
  plan.n = static_cast<size_t>(g.out_channels / g.groups);
  plan.taps = g.taps();
  plan.tap_k = static_cast<size_t>(g.in_channels / g.groups);
  if (plan.tap_k == 1) plan.strides.in = strides.tap;  // where the next element is the next tap
  constexpr Spatial kOnes{1, 1, 1}, kZeros{0, 0, 0};
  plan.direct = g.filter == kOnes && g.stride == kOnes && g.pad == kZeros;
  const bool runs = !plan.direct && may_run(g, least_run);
  plan.runs = runs && g.filter == kOnes && g.pad == kZeros;
  if (g.groups != 1 || g.filter[2] == 1 || g.dilation[2] != 1 || g.out[2] == 0) return plan;
  // Neighbouring columns of a filter meet neighbouring pixels: one longer tap, as long as none lies in the padding.
  const int32_t width = (g.out[2] - 1) * g.stride[2] + g.filter[2];
  const bool padded = g.pad[2] != 0 || width > g.in[2];
  if (padded && g.in_channels > kFewChannels && !runs) return plan;
  plan.taps /= static_cast<size_t>(g.filter[2]);
  plan.tap_k *= static_cast<size_t>(g.filter[2]);
  plan.gather.filter[2] = 1;
  plan.gather.pad[2] = 0;
  plan.copy_lines = padded;
  if (padded) plan.gather.in[2] = width;
  if (!runs) return plan;
  // No offset is negative if the lines above and below are copied, too.
  plan.runs = true;
  const auto height = static_cast<int32_t>(lines_of_windows(g));
  if (g.pad[1] != 0 || height > g.in[1]) {
    plan.copy_lines = true;
    plan.gather.pad[1] = 0;
    plan.gather.in[1] = height;
  }
  return plan;
}

// One convolution. Kernel: a gemm kernel; kHybrid: float operands over an int8 kernel.
template <class GemmType, bool kHybrid>
class ConvKernel final : public RowKernel {
 public:
  using Row = typename ProductTypes<GemmType>::Row;
  using In = std::conditional_t<kHybrid, float, Row>;
  using Out = std::conditional_t<kHybrid, float, typename ProductTypes<GemmType>::Out>;
  using Weight = typename GemmType::Weight;

  ConvKernel(ConvPlan plan, ProductSpec spec, const WeightData& weights)
      : plan_(std::move(plan)),
        spec_(std::move(spec)),
        gemm_(select_gemm<GemmType>(spec_, plan_.geometry.out_positions(), plan_.n, plan_.depth_in_channels())) {
    fill_args(spec_, args_);
    args_.n = plan_.n;
    args_.a.taps = plan_.taps;
    args_.a.tap_k = plan_.tap_k;
    if (plan_.runs) {
      args_.a.run = static_cast<size_t>(plan_.geometry.out[2]);
      args_.a.run_step = static_cast<size_t>(plan_.geometry.stride[2] * plan_.geometry.in_channels);
    }
    args_.a.tail_readable = plan_.copy_lines;  // the lines are ours, and have kSlack elements after them
    args_.out_stride = static_cast<size_t>(plan_.geometry.out_channels);
    if (plan_.direct) {
      args_.a.row_stride = static_cast<size_t>(plan_.geometry.in_channels);
    } else {
      table_ = OffsetTable(plan_.gather);
    }
    pad_value_ = static_cast<Row>(static_cast<int32_t>(spec_.in_zero_point) ^ (spec_.flip != 0 ? -128 : 0));
    padding_.assign(plan_.tap_k + kSlack, pad_value_);
    packed_stride_ = gemm_.packed_size(plan_.n, plan_.taps, plan_.tap_k);
    packed_stride_ = (packed_stride_ + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
    if (weights.data != nullptr) {
      const auto* data = static_cast<const Weight*>(weights.data);
      packed_ = PackedBytes(weights, fmt::format("{} x{}", pack_layout(gemm_, group_weights(data, 0)), plan_.groups()),
                            packed_stride_ * plan_.groups(), [&](std::byte* to) { pack(data, to); });
    }
    live_ = LiveWeights(weights, layout_);
    lay_out();
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const {
    const char* rows = plan_.direct                                   ? "direct"
                       : plan_.copy_lines                             ? "merged columns of padded lines"
                       : plan_.gather.filter != plan_.geometry.filter ? "merged columns"
                                                                      : "gathered";
    return fmt::format("{}{} {}", kHybrid ? "hybrid " : "", gemm_.name, rows);
  }

  void run_rows(const RunArgs& run, RowsTo rows) const noexcept override {
    const ConvGeometry& g = plan_.geometry;
    if (packed_.data() == nullptr) {
      pack(static_cast<const Weight*>(live_.elements(run.in[1], run.workspace)), run.workspace + pack_);
    }
    if constexpr (!kHybrid) {
      if (plan_.direct) {  // the whole batch at once
        auto args = open_args(run);
        args.m = static_cast<size_t>(g.batch) * g.out_positions();
        return multiply(run, args, in<Row>(run, 0), out<Out>(run), packed(run), rows);
      }
    }
    for (size_t n = 0; n < static_cast<size_t>(g.batch); ++n) {
      open_image(run, n);
      convolve(run, {n, 0, g.out_lines()}, rows);
    }
  }

  LineShape lines() const noexcept override {
    const bool kept = plan_.direct || table_.band_lines() >= plan_.geometry.out_lines();
    if (packed_.data() == nullptr || spec_.narrow_bias || !kept) return {};
    LineShape shape = line_shape(plan_.geometry, sizeof(In), sizeof(Out));
    if (plan_.direct && !kHybrid) shape.reads = LineShape::Reads::kSameLines;
    return shape;
  }
  // The image as the kernel reads it: quantized and its lines padded where the plan says so.
  void open_image(const RunArgs& run, size_t n) const noexcept override {
    const In* input = in<In>(run, 0) + n * plan_.geometry.in_image();
    Row pad = pad_value_;
    const Row* image = nullptr;
    if constexpr (kHybrid) {
      const float* gate =
          gate_ == 0 ? nullptr : in<float>(run, gate_) + n * static_cast<size_t>(plan_.geometry.in_channels);
      hybrid_.quantize(run.pool, input, static_cast<size_t>(plan_.geometry.in_channels), gate, run.workspace);
      pad = static_cast<Row>(hybrid_.params(run.workspace).zero_point);
      const size_t rows = plan_.direct ? plan_.geometry.out_positions() : table_.band_rows();
      std::fill_n(reinterpret_cast<float*>(run.workspace + scales_), rows, hybrid_.params(run.workspace).scale);
      image = hybrid_.image(run.workspace);
    } else {
      image = input;
    }
    if (plan_.copy_lines) copy_lines(run.pool, image, pad, reinterpret_cast<Row*>(run.workspace + lines_));
  }
  bool take_gate(size_t operand) override {
    if (kHybrid) gate_ = operand;
    return kHybrid;
  }
  void run_lines(const RunArgs& run, const LineRange& lines, RowsTo rows) const noexcept override {
    convolve(run, lines, rows);
  }

 private:
  using Args = typename GemmType::Args;
  static constexpr size_t kSlack = 4;  // elements after copied lines and padding that kernels may read

  // Parts of the workspace.
  void lay_out() noexcept {
    const ConvGeometry& g = plan_.geometry;
    bias_ = layout_.add(bias_space(spec_, static_cast<size_t>(g.out_channels)));
    if (packed_.data() == nullptr) pack_ = layout_.add(packed_stride_ * plan_.groups());
    offsets_ = layout_.add(plan_.direct ? 0 : table_.workspace());
    if (plan_.copy_lines) lines_ = layout_.add((plan_.gather.in_image() + kSlack) * sizeof(Row));
    if (kHybrid) {
      hybrid_ = HybridImage(g.in_image(), plan_.tap_k + kSlack, plan_.symmetric, layout_);
      scales_ = layout_.add((plan_.direct ? g.out_positions() : table_.band_rows()) * sizeof(float));
    }
  }

  void pack(const Weight* weights, std::byte* to) const noexcept {
    for (size_t group = 0; group < plan_.groups(); ++group) {
      gemm_.pack(group_weights(weights, group), to + group * packed_stride_);
    }
  }
  GemmWeights<Weight> group_weights(const Weight* weights, size_t group) const noexcept {
    return {.data = weights + group * plan_.n * plan_.strides.out,
            .n = plan_.n,
            .taps = plan_.taps,
            .tap_k = plan_.tap_k,
            .n_stride = plan_.strides.out,
            .k_stride = plan_.strides.in,
            .flip = spec_.flip};
  }

  // What a run says about itself.
  Args open_args(const RunArgs& run) const noexcept {
    Args args = args_;
    args.a.padding = padding_.data();
    if constexpr (kHybrid) {
      args.row_scale = reinterpret_cast<const float*>(run.workspace + scales_);
      args.a_zero_point = hybrid_.params(run.workspace).zero_point;
      args.a.padding = hybrid_.padding(run.workspace);
    }
    return args;
  }
  const std::byte* packed(const RunArgs& run) const noexcept {
    return packed_.data() != nullptr ? packed_.data() : run.workspace + pack_;
  }
  // Where the image lies that open_image() has made ready.
  const Row* image(const RunArgs& run, size_t n) const noexcept {
    if (plan_.copy_lines) return reinterpret_cast<const Row*>(run.workspace + lines_);
    if constexpr (kHybrid) return hybrid_.image(run.workspace);
    return in<Row>(run, 0) + n * plan_.geometry.in_image();
  }

  // Copies every line with its padding on both sides, and makes the lines of padding above and below, where the plan has them.
  void copy_lines(const ThreadPool* pool, const Row* image, Row pad, Row* to) const noexcept {
    constexpr size_t kGrain = 64;
    const ConvGeometry &g = plan_.geometry, &made = plan_.gather;
    const auto channels = static_cast<size_t>(g.in_channels), width = static_cast<size_t>(made.in[2]) * channels;
    const size_t line = static_cast<size_t>(g.in[2]) * channels;
    const size_t left = static_cast<size_t>(g.pad[2] - made.pad[2]) * channels, count = std::min(line, width - left);
    const auto above = static_cast<size_t>(g.pad[1] - made.pad[1]);
    const size_t lines = static_cast<size_t>(g.in[0]) * static_cast<size_t>(g.in[1]);
    parallel_for(pool, static_cast<size_t>(made.in[0]) * static_cast<size_t>(made.in[1]), kGrain,
                 [&](size_t begin, size_t end) {
                   for (size_t i = begin; i < end; ++i) {
                     Row* row = to + i * width;
                     if (i < above || i - above >= lines) {
                       std::fill_n(row, width, pad);
                       continue;
                     }
                     std::fill_n(row, left, pad);
                     std::copy_n(image + (i - above) * line, count, row + left);
                     std::fill(row + left + count, row + width, pad);
                   }
                 });
  }

  // Some lines of an image that open_image() has made ready.
  void convolve(const RunArgs& run, const LineRange& lines, RowsTo rows) const noexcept {
    const ConvGeometry& g = plan_.geometry;
    const size_t width = static_cast<size_t>(g.out[2]), first = lines.image * g.out_positions();
    Args args = open_args(run);
    const Row* from = image(run, lines.image);
    const std::byte* weights = packed(run);
    Out* to = out<Out>(run) + lines.image * g.out_image();
    if (plan_.direct) {
      const size_t row = lines.begin * width;
      args.m = (lines.end - lines.begin) * width;
      from += row * args.a.row_stride;
      return multiply(run, args, from, to + row * args.out_stride, weights, rows.from(first + row));
    }
    for (size_t begin = lines.begin; begin < lines.end; begin += table_.band_lines()) {
      const size_t end = std::min(begin + table_.band_lines(), lines.end), row = begin * width;
      args.m = (end - begin) * width;
      args.a.offsets = table_.lines(begin, end, run.pool, run.workspace + offsets_);
      multiply(run, args, from, to + row * args.out_stride, weights, rows.from(first + row));
    }
  }

  // The products of all groups.
  void multiply(const RunArgs& run, Args& args, const Row* image, Out* to, const std::byte* packed,
                RowsTo rows) const noexcept {
    const void* bias = widen_bias(spec_, spec_.has_bias ? run.in[2] : nullptr,
                                  static_cast<size_t>(plan_.geometry.out_channels), run.workspace + bias_);
    for (size_t group = 0; group < plan_.groups(); ++group) {
      const size_t first = group * plan_.n;
      args.a.data = image + group * plan_.tap_k;
      args.packed = packed + group * packed_stride_;
      args.out = to + first;
      set_bias(args, bias, first);
      skip_channels(spec_, args, first);
      run_gemm(run.pool, gemm_, args, plan_.groups() == 1 ? rows : RowsTo{});
    }
    if (plan_.groups() > 1) rows.take(0, args.m);
  }

  ConvPlan plan_;
  ProductSpec spec_;
  const GemmType& gemm_;
  Args args_;  // all that does not change between runs
  OffsetTable table_;
  PackedBytes packed_;  // empty: weights are packed in every run
  size_t packed_stride_ = 0;
  Row pad_value_ = 0;
  std::vector<Row> padding_;
  WorkspaceLayout layout_;
  LiveWeights live_;
  size_t bias_ = 0, pack_ = 0, offsets_ = 0, lines_ = 0, scales_ = 0;
  size_t gate_ = 0;  // the operand that multiplies the input; 0: there is none
  HybridImage hybrid_;
};

template <class GemmType, bool kHybrid = false>
Prepared make_conv(const ConvPlan& plan, ProductSpec spec, const WeightData& weights) {
  auto kernel = std::make_unique<ConvKernel<GemmType, kHybrid>>(plan, std::move(spec), weights);
  Prepared prepared;
  prepared.workspace = kernel->workspace();
  prepared.choice = kernel->choice();
  prepared.kernel = std::move(kernel);
  return prepared;
}

}  // namespace

void HybridImage::quantize(const ThreadPool* pool, const float* in, size_t channels, const float* gate,
                           std::byte* workspace) const noexcept {
  constexpr size_t kParts = 32, kLeast = 16384;  // elements of a part
  const QuantizeKernels& kernels = select_quantize(isa());
  const size_t positions = elements_ / std::max<size_t>(1, channels);
  const size_t parts = std::clamp<size_t>(pool == nullptr ? 1 : elements_ / kLeast, 1, kParts);
  auto* image = reinterpret_cast<int8_t*>(workspace + image_);
  const auto part = [&](size_t i) {
    const size_t begin = positions * i / parts, end = positions * (i + 1) / parts;
    return DynamicInput{in + begin * channels, end - begin, channels, gate};
  };
  DynamicRange ranges[kParts];
  parallel_for(pool, parts, 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) ranges[i] = kernels.dynamic_range(part(i));
  });
  DynamicRange whole;
  for (const DynamicRange& range : ranges) {
    whole = {std::min(whole.least, range.least), std::max(whole.most, range.most)};
  }
  const DynamicPlan plan = plan_dynamic(whole, symmetric_);
  parallel_for(pool, parts, 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) kernels.dynamic_to_s8(part(i), plan, image + positions * i / parts * channels);
  });
  std::memset(workspace + padding_at_, plan.params.zero_point, padding_);
  *reinterpret_cast<DynamicParams*>(workspace + params_) = plan.params;
}

Result<Prepared> prepare_gemm_conv(const OpContext& context, const ConvGeometry& geometry, ProductSpec spec) {
  const TensorInfo& weights = context.inputs[1];
  const bool bytes = spec.scheme == Scheme::kInt8 || spec.scheme == Scheme::kHybrid;
  ConvPlan plan =
      plan_conv(geometry, filter_strides(context.node->op, geometry), bytes ? select_gemm_s8(isa()).least_run : 0);
  plan.symmetric = context.node->op == Op::CONV_2D && weights.quant->scale.size() == 1;
  FB_ASSIGN(const WeightData data, weight_data(context, weights));
  switch (spec.scheme) {
    case Scheme::kFloat: return make_conv<GemmF32Kernel>(plan, std::move(spec), data);
    case Scheme::kInt8:
    case Scheme::kUInt8: return make_conv<GemmS8Kernel>(plan, std::move(spec), data);
    case Scheme::kInt16: return make_conv<GemmS16S8Kernel>(plan, std::move(spec), data);
    case Scheme::kHybrid: return make_conv<GemmS8Kernel, true>(plan, std::move(spec), data);
  }
  return unsupported_types(context);
}

Result<ConvCase> conv_case(const OpContext& context, const ConvGeometry& geometry, int32_t axis) {
  const ConvOperands operands = conv_operands(context.node->op);
  FB_ASSIGN(const auto activation, conv_activation(context));
  const TensorInfo* bias = context.has_input(operands.bias) ? &context.inputs[operands.bias] : nullptr;
  FB_ASSIGN(ProductSpec spec,
            product_spec(context, {context.inputs[operands.input], context.inputs[operands.weights], bias,
                                   context.outputs[0], geometry.out_channels, axis, activation, false}));
  // Offsets are 32 bits wide; a line may grow by its padding (at most the filter's width).
  const auto line = static_cast<size_t>(geometry.in[2]) + static_cast<size_t>(geometry.filter[2]);
  const auto elements =
      checked_count(Shape{geometry.in[0], geometry.in[1], static_cast<int32_t>(line), geometry.in_channels});
  if (!elements || *elements > INT32_MAX) {
    return context.fail(ErrorCode::kUnsupported, "an image of {} has more than 2^31 elements",
                        shape_text(context.inputs[operands.input].shape));
  }
  return ConvCase{geometry, std::move(spec)};
}

Result<Prepared> prepare_conv(const OpContext& context) {
  FB_ASSIGN(const ConvGeometry geometry, conv_geometry(context));
  FB_ASSIGN(ConvCase conv, conv_case(context, geometry, 0));
  const bool volumes = context.node->op == Op::CONV_3D;
  if (volumes && conv.spec.scheme != Scheme::kFloat) return unsupported_types(context);
  if (geometry.groups > 1 && geometry.groups == geometry.in_channels && context.inputs[1].is_const) {
    return prepare_depthwise_rows(context, conv, context.inputs[1].quant->scale.size() == 1);
  }
  conv.spec.channel_first = conv.spec.scheme == Scheme::kHybrid && context.inputs[1].quant->scale.size() > 1;
  return prepare_gemm_conv(context, conv.geometry, std::move(conv.spec));
}

}  // namespace fewbits::ops
