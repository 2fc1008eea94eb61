// prepare() of TRANSPOSE_CONV and CONV_3D_TRANSPOSE: as many ordinary convolutions as the strides have phases.
//
// The output positions o with o % stride == p (in every dimension) meet the same taps k, those with
// (p + pad - k * dilation) % stride == 0, at input positions that grow by one from each such o to the next: a
// convolution of stride 1 over the input, whose taps come in falling order of k.
#include <algorithm>
#include <array>

#include "ops/conv/conv_kernels.h"
#include "ops/conv/offset_table.h"
#include "ops/conv/op.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Along one dimension: the output positions first, first + stride, ... and their taps.
struct PhaseOfDim {
  int32_t first = 0, count = 0;
  std::vector<int32_t> taps;    // falling
  int32_t start = 0, step = 1;  // input position of taps[0] at `first`; of each next tap further on
};

std::vector<PhaseOfDim> phases_of_dim(const ConvGeometry& g, size_t dim) {
  std::vector<PhaseOfDim> phases;
  const int64_t stride = g.stride[dim], dilation = g.dilation[dim];
  for (int64_t k = g.filter[dim] - 1; k >= 0; --k) {
    // The phase of tap k; there are at most as many as taps, however large the stride.
    const int64_t first = ((k * dilation - g.pad[dim]) % stride + stride) % stride;
    if (first >= g.out[dim]) continue;
    const auto at = static_cast<int32_t>((first + g.pad[dim] - k * dilation) / stride);
    const auto found =
        std::find_if(phases.begin(), phases.end(), [&](const PhaseOfDim& p) { return p.first == first; });
    if (found == phases.end()) {
      const auto count = static_cast<int32_t>((g.out[dim] - first + stride - 1) / stride);
      phases.push_back({static_cast<int32_t>(first), count, {static_cast<int32_t>(k)}, at, 1});
    } else {
      if (found->taps.size() == 1) found->step = at - found->start;
      found->taps.push_back(static_cast<int32_t>(k));
    }
  }
  return phases;
}

struct Phase {
  Spatial first{};
  ConvGeometry gather;       // the ordinary convolution
  std::vector<size_t> taps;  // of the filter, in the order that `gather` meets them
  OffsetTable table;
};

Phase make_phase(const ConvGeometry& g, const std::array<const PhaseOfDim*, 3>& dims) {
  Phase phase;
  phase.gather = g;
  phase.gather.transposed = false;
  for (size_t i = 0; i < 3; ++i) {
    phase.first[i] = dims[i]->first;
    phase.gather.out[i] = dims[i]->count;
    phase.gather.filter[i] = static_cast<int32_t>(dims[i]->taps.size());
    phase.gather.stride[i] = 1;
    phase.gather.dilation[i] = dims[i]->step;
    phase.gather.pad[i] = -dims[i]->start;
  }
  for (int32_t z : dims[0]->taps) {
    for (int32_t y : dims[1]->taps) {
      for (int32_t x : dims[2]->taps)
        phase.taps.push_back(static_cast<size_t>((z * g.filter[1] + y) * g.filter[2] + x));
    }
  }
  phase.table = OffsetTable(phase.gather);
  return phase;
}

std::vector<Phase> make_phases(const ConvGeometry& g) {
  const std::vector<PhaseOfDim> zs = phases_of_dim(g, 0), ys = phases_of_dim(g, 1), xs = phases_of_dim(g, 2);
  std::vector<Phase> phases;
  for (const PhaseOfDim& z : zs) {
    for (const PhaseOfDim& y : ys) {
      for (const PhaseOfDim& x : xs) phases.push_back(make_phase(g, {&z, &y, &x}));
    }
  }
  return phases;
}

// kHybrid: float operands over an int8 kernel.
template <class GemmType, bool kHybrid>
class TransposeConvKernel final : public Kernel {
 public:
  using Row = typename ProductTypes<GemmType>::Row;
  using In = std::conditional_t<kHybrid, float, Row>;
  using Out = std::conditional_t<kHybrid, float, typename ProductTypes<GemmType>::Out>;
  using Weight = typename GemmType::Weight;

  TransposeConvKernel(const ConvGeometry& geometry, const FilterStrides& strides, ProductSpec spec,
                      const WeightData& weights)
      : geometry_(geometry),
        strides_(strides),
        spec_(std::move(spec)),
        gemm_(select_gemm<GemmType>(spec_, geometry.in_positions(), static_cast<size_t>(geometry.out_channels),
                                    static_cast<size_t>(geometry.in_channels))),
        phases_(make_phases(geometry)) {
    fill_args(spec_, args_);
    args_.n = static_cast<size_t>(geometry_.out_channels);
    args_.a.tap_k = static_cast<size_t>(geometry_.in_channels);
    padding_.assign(args_.a.tap_k, static_cast<Row>(spec_.in_zero_point ^ (spec_.flip != 0 ? -128 : 0)));
    size_t covered = 0, most_offsets = 0, packed_size = 0, most_taps = 1, most_columns = 1;
    for (const Phase& phase : phases_) {
      packed_at_.push_back(packed_size);
      packed_size += padded(gemm_.packed_size(args_.n, phase.taps.size(), args_.a.tap_k));
      covered += phase.gather.out_positions();
      most_offsets = std::max(most_offsets, phase.table.workspace());
      most_taps = std::max(most_taps, phase.taps.size());
      most_columns = std::max(most_columns, static_cast<size_t>(phase.gather.out[2]));
    }
    has_gaps_ = covered != geometry_.out_positions();
    const size_t scratch = args_.n * most_taps * args_.a.tap_k;
    live_ = LiveWeights(weights, layout_);
    if (weights.data != nullptr) {
      packed_ = PackedBytes(weights, phases_layout(), packed_size, [&](std::byte* to) {
        std::vector<Weight> gathered(scratch);
        pack(static_cast<const Weight*>(weights.data), gathered.data(), to);
      });
    } else {
      scratch_ = layout_.add(scratch * sizeof(Weight));
      pack_ = layout_.add(packed_size);
    }
    make_empty_product();
    bias_ = layout_.add(bias_space(spec_, args_.n));
    offsets_ = layout_.add(most_offsets);
    pixel_ = layout_.add(args_.n * sizeof(Out));
    if (kHybrid) {
      hybrid_ = HybridImage(geometry_.in_image(), args_.a.tap_k, false, layout_);
      scales_ = layout_.add(most_columns * sizeof(float));
      columns_ = most_columns;
    }
  }

  size_t workspace() const noexcept { return layout_.size(); }
  std::string choice() const {
    return fmt::format("{}{} gathered, {} phases", kHybrid ? "hybrid " : "", gemm_.name, phases_.size());
  }

  void run(const RunArgs& run) const noexcept override {
    auto args = args_;
    const std::byte* packed = packed_.data();
    if (packed == nullptr) {
      pack(static_cast<const Weight*>(live_.elements(run.in[1], run.workspace)),
           reinterpret_cast<Weight*>(run.workspace + scratch_), run.workspace + pack_);
      packed = run.workspace + pack_;
    }
    set_bias(args, widen_bias(spec_, spec_.has_bias ? run.in[3] : nullptr, args.n, run.workspace + bias_));
    args.a.padding = padding_.data();
    if (has_gaps_) fill_with_bias(run, args);
    for (int32_t n = 0; n < geometry_.batch; ++n) {
      set_image(run, args, in<In>(run, 2) + static_cast<size_t>(n) * geometry_.in_image());
      Out* image = out<Out>(run) + static_cast<size_t>(n) * geometry_.out_image();
      for (size_t i = 0; i < phases_.size(); ++i) {
        args.packed = packed + packed_at_[i];
        run_phase(run, args, phases_[i], image);
      }
    }
  }

 private:
  using Args = typename GemmType::Args;

  void set_image(const RunArgs& run, Args& args, const In* input) const noexcept {
    if constexpr (kHybrid) {
      hybrid_.quantize(run.pool, input, static_cast<size_t>(geometry_.in_channels), nullptr, run.workspace);
      const DynamicParams& q = hybrid_.params(run.workspace);
      auto* scales = reinterpret_cast<float*>(run.workspace + scales_);
      std::fill_n(scales, columns_, q.scale);
      args.row_scale = scales;
      args.a_zero_point = q.zero_point;
      args.a.padding = hybrid_.padding(run.workspace);
      args.a.data = hybrid_.image(run.workspace);
    } else {
      args.a.data = input;
    }
  }

  static size_t padded(size_t size) noexcept {
    return (size + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
  }

  void pack(const Weight* weights, Weight* gathered, std::byte* to) const noexcept {
    const size_t depth = args_.a.tap_k;
    for (size_t i = 0; i < phases_.size(); ++i) {
      const std::vector<size_t>& taps = phases_[i].taps;
      Weight* at = gathered;
      for (size_t o = 0; o < args_.n; ++o) {
        for (size_t tap : taps) {
          const Weight* from = weights + o * strides_.out + tap * strides_.tap;
          for (size_t c = 0; c < depth; ++c) *at++ = from[c * strides_.in];
        }
      }
      gemm_.pack({.data = gathered,
                  .n = args_.n,
                  .taps = taps.size(),
                  .tap_k = depth,
                  .n_stride = taps.size() * depth,
                  .k_stride = 1,
                  .flip = spec_.flip},
                 to + packed_at_[i]);
    }
  }

  // Kernel and layout of the packed form: the taps of all phases, and where a filter has them.
  std::string phases_layout() const {
    std::string layout = fmt::format("{} {} {} {} {} {} {}", gemm_.name, args_.n, args_.a.tap_k, spec_.flip,
                                     strides_.out, strides_.tap, strides_.in);
    for (const Phase& phase : phases_) {
      layout += " /";
      for (size_t tap : phase.taps) layout += fmt::format(" {}", tap);
    }
    return layout;
  }

  // A product over one element that is a real 0: what it gives is the bias as an output.
  void make_empty_product() {
    const Weight zero = static_cast<Weight>(spec_.weight_zero_point ^ (spec_.flip != 0 ? -128 : 0));
    const std::vector<Weight> zeros(args_.n, zero);
    auto packed = allocate_pack(gemm_.packed_size(args_.n, 1, 1));
    gemm_.pack(
        {.data = zeros.data(), .n = args_.n, .taps = 1, .tap_k = 1, .n_stride = 1, .k_stride = 1, .flip = spec_.flip},
        packed.get());
    empty_packed_ = std::move(packed);
  }

  void fill_with_bias(const RunArgs& run, Args args) const noexcept {
    auto* pixel = reinterpret_cast<Out*>(run.workspace + pixel_);
    args.a = {.data = padding_.data(), .row_stride = 1, .taps = 1, .tap_k = 1};
    const float unit = 1;
    if constexpr (kHybrid) args.row_scale = &unit;
    args.packed = empty_packed_.get();
    args.m = 1;
    args.out = pixel;
    args.out_stride = args.n;
    run_gemm(nullptr, gemm_, args);
    constexpr size_t kGrain = 1024;
    parallel_for(run.pool, static_cast<size_t>(geometry_.batch) * geometry_.out_positions(), kGrain,
                 [&](size_t begin, size_t end) {
                   for (size_t i = begin; i < end; ++i) std::copy_n(pixel, args.n, out<Out>(run) + i * args.n);
                 });
  }

  void run_phase(const RunArgs& run, Args args, const Phase& phase, Out* image) const noexcept {
    const auto width = static_cast<size_t>(phase.gather.out[2]), height = static_cast<size_t>(phase.gather.out[1]);
    const size_t taps = phase.taps.size();
    args.a.taps = taps;
    args.m = width;
    args.out_stride = static_cast<size_t>(geometry_.stride[2]) * args.n;
    for (size_t begin = 0; begin < phase.gather.out_lines(); begin += phase.table.band_lines()) {
      const size_t end = std::min(begin + phase.table.band_lines(), phase.gather.out_lines());
      const int32_t* offsets = phase.table.lines(begin, end, run.pool, run.workspace + offsets_);
      parallel_for(run.pool, end - begin, 1, [&](size_t first, size_t last) {
        Args line = args;
        for (size_t i = first; i < last; ++i) {
          const size_t z =
              static_cast<size_t>(phase.first[0]) + (begin + i) / height * static_cast<size_t>(geometry_.stride[0]);
          const size_t y =
              static_cast<size_t>(phase.first[1]) + (begin + i) % height * static_cast<size_t>(geometry_.stride[1]);
          const size_t position =
              (z * static_cast<size_t>(geometry_.out[1]) + y) * static_cast<size_t>(geometry_.out[2]) +
              static_cast<size_t>(phase.first[2]);
          line.a.offsets = offsets + i * width * taps;
          line.out = image + position * args.n;
          gemm_.run(line, {0, width, 0, args.n});
        }
      });
    }
  }

  ConvGeometry geometry_;
  FilterStrides strides_;
  ProductSpec spec_;
  const GemmType& gemm_;
  std::vector<Phase> phases_;
  std::vector<size_t> packed_at_;  // bytes, by phase
  bool has_gaps_ = false;          // output positions that no tap reaches: strides beyond the filter
  Args args_;
  std::vector<Row> padding_;
  PackedBytes packed_;
  std::shared_ptr<const std::byte> empty_packed_;
  WorkspaceLayout layout_;
  LiveWeights live_;
  size_t scratch_ = 0, pack_ = 0, bias_ = 0, offsets_ = 0, pixel_ = 0, scales_ = 0, columns_ = 0;
  HybridImage hybrid_;
};

template <class GemmType, bool kHybrid = false>
Prepared make_transpose(const OpContext& context, ConvCase& conv, const WeightData& weights) {
  auto kernel = std::make_unique<TransposeConvKernel<GemmType, kHybrid>>(
      conv.geometry, filter_strides(context.node->op, conv.geometry), std::move(conv.spec), weights);
  Prepared prepared;
  prepared.workspace = kernel->workspace();
  prepared.choice = kernel->choice();
  prepared.kernel = std::move(kernel);
  return prepared;
}

}  // namespace

Result<Prepared> prepare_transpose_conv(const OpContext& context) {
  FB_ASSIGN(const ConvGeometry geometry, conv_geometry(context, &context.outputs[0].shape));
  FB_ASSIGN(ConvCase conv, conv_case(context, geometry, 0));
  // Without a bias, the option says of which type it would be.
  const auto* options = context.node->options->AsTransposeConvOptions();
  if (options != nullptr && options->quantized_bias_type == tflite::TensorType::INT32 && !context.has_input(3)) {
    conv.spec.short_rule = ShortRule::kInt32;
  }
  FB_ASSIGN(const WeightData data, weight_data(context, context.inputs[1]));
  if (context.node->op == Op::CONV_3D_TRANSPOSE && conv.spec.scheme != Scheme::kFloat)
    return unsupported_types(context);
  switch (conv.spec.scheme) {
    case Scheme::kFloat: return make_transpose<GemmF32Kernel>(context, conv, data);
    case Scheme::kInt8:
    case Scheme::kUInt8: return make_transpose<GemmS8Kernel>(context, conv, data);
    case Scheme::kInt16: return make_transpose<GemmS16S8Kernel>(context, conv, data);
    case Scheme::kHybrid: return make_transpose<GemmS8Kernel, true>(context, conv, data);
  }
  return unsupported_types(context);
}

}  // namespace fewbits::ops
