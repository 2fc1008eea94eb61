// Finding chains of convolutions, and running them a band of lines at a time.
#include "runtime/line_bands.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "kernels/quantize.h"
#include "ops/row_kernel.h"

namespace fewbits::runtime {
namespace {

using ops::LineRange;
using ops::LineShape;
using Reads = LineShape::Reads;

constexpr size_t kMostStages = 8, kMostOperands = 12;
constexpr size_t kLeastBytes = 768 * 1024;  // of a tensor that is worth not being made
constexpr size_t kBandBytes = 512 * 1024;   // of the lines between all stages: they lie in the L2 cache
constexpr size_t kMostSections = 8;         // parts of an image that threads make at once
constexpr size_t kSlack = 64;               // bytes after lines that vector kernels may read

size_t align(size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

// A convolution of a chain, and the function of a byte after it.
struct Stage {
  std::unique_ptr<Kernel> kernel;
  ops::RowKernel* rows = nullptr;
  LineShape shape;
  const uint8_t* table = nullptr;  // 256 answers, or null
  std::unique_ptr<Kernel> table_owner;
  std::vector<size_t> operands;  // of the chain's inputs; that of input 0 stands only in the first stage
  size_t workspace = 0, workspace_at = 0;
  size_t at_once = 1;  // lines that one call makes at most
  // Lines of its output that are kept for the next stage, and where in a section's memory.
  size_t kept = 0, kept_at = 0;
  bool ring = false;  // line y of them at y % kept; else the lines of the last call from the first place on
};

// How lines of one section of an image have come along.
struct Progress {
  std::array<size_t, kMostStages> done{};   // lines before this one are made, or not needed
  std::array<size_t, kMostStages> first{};  // the first line of a stage's last call
};

class BandKernel final : public Kernel {
 public:
  BandKernel(std::vector<Stage> stages, size_t lines) : stages_(std::move(stages)) {
    for (Stage& stage : stages_) {
      stage.workspace_at = shared_;
      shared_ += align(stage.workspace);
    }
    section_ = lay_out(stages_, lines);
    size_t hidden = 0;
    for (size_t i = 0; i + 1 < stages_.size(); ++i) {
      if (stages_[i + 1].shape.reads == Reads::kRing) stages_[i + 1].rows->keep_ring(stages_[i].kept);
      hidden += stages_[i].shape.out_lines * stages_[i].shape.out_line;
    }
    sections_ = std::clamp<size_t>(section_ == 0 ? kMostSections : hidden / section_, 1, kMostSections);
    sections_ = std::min(sections_, std::max<size_t>(1, stages_.back().shape.out_lines / (2 * lines)));
  }

  size_t workspace() const noexcept { return shared_ + sections_ * section_; }

  void run(const RunArgs& args) const noexcept override {
    const Stage& last = stages_.back();
    const size_t threads = args.pool == nullptr ? 1 : static_cast<size_t>(args.pool->threads());
    // Two for each thread: the windows at every seam are made twice.
    const size_t sections = threads == 1 ? 1 : std::min(sections_, 2 * threads), lines = last.shape.out_lines;
    for (size_t image = 0; image < last.shape.images; ++image) {
      with_operands(args, 0, args.in[stages_[0].operands[0]], nullptr, args.pool,
                    [&](const RunArgs& run) { stages_[0].rows->open_image(run, image); });
      parallel_for(args.pool, sections, 1, [&](size_t begin, size_t end) {
        for (size_t s = begin; s < end; ++s) {
          make_section(args, image, args.workspace + shared_ + s * section_, lines * s / sections,
                       lines * (s + 1) / sections);
        }
      });
    }
  }

  // Gives every stage its lines when the last one makes `lines` at once; returns the bytes of a section.
  static size_t lay_out(std::vector<Stage>& stages, size_t lines) noexcept {
    size_t bytes = 0;
    stages.back().at_once = lines;
    for (size_t i = stages.size() - 1; i-- > 0;) {
      const Stage& next = stages[i + 1];
      stages[i].ring = next.shape.reads == Reads::kRing;
      const size_t window = (next.at_once - 1) * next.shape.stride + next.shape.extent;
      stages[i].at_once =
          std::min(stages[i].ring ? next.at_once * next.shape.stride : next.at_once, stages[i].shape.out_lines);
      stages[i].kept = stages[i].ring ? window : stages[i].at_once;
      stages[i].kept_at = bytes;
      bytes += align(stages[i].kept * stages[i].shape.out_line + kSlack);
    }
    return bytes;
  }

 private:
  // Lines [begin, end) of the last stage.
  void make_section(const RunArgs& args, size_t image, std::byte* memory, size_t begin, size_t end) const noexcept {
    Progress progress;
    const size_t last = stages_.size() - 1;
    progress.done[last] = begin;
    for (size_t i = last; i > 0; --i) {
      const LineShape& s = stages_[i].shape;
      const size_t first = progress.done[i] * s.stride;
      progress.done[i - 1] = std::min(first > s.pad ? first - s.pad : 0, s.in_lines);
    }
    make(args, image, memory, progress, last, end);
  }

  // Makes the lines of stage i up to `end`, and of the stages before what these need.
  void make(const RunArgs& args, size_t image, std::byte* memory, Progress& progress, size_t i,
            size_t end) const noexcept {
    const Stage& stage = stages_[i];
    while (progress.done[i] < end) {
      const size_t begin = progress.done[i], to = std::min(begin + stage.at_once, end);
      if (i > 0) {
        const size_t needed = (to - 1) * stage.shape.stride + stage.shape.extent;
        const size_t lines = needed > stage.shape.pad ? needed - stage.shape.pad : 0;
        make(args, image, memory, progress, i - 1, std::min(lines, stage.shape.in_lines));
      }
      progress.first[i] = begin;
      for (size_t line = begin; line < to;) {
        const size_t part = stage.ring ? std::min(to, line - line % stage.kept + stage.kept) : to;
        make_lines(args, memory, progress, i, {image, line, part});
        line = part;
      }
      progress.done[i] = to;
    }
  }

  // One call of a stage's kernel. Lines of its output lie one after another.
  void make_lines(const RunArgs& args, std::byte* memory, const Progress& progress, size_t i,
                  const LineRange& lines) const noexcept {
    const Stage& stage = stages_[i];
    const size_t in_first = lines.image * stage.shape.in_lines + (i > 0 ? progress.first[i - 1] : 0);
    const size_t out_line = lines.image * stage.shape.out_lines + lines.begin;
    void* in = i == 0 ? args.in[stage.operands[0]]
               : stage.shape.reads == Reads::kRing
                   ? memory + stages_[i - 1].kept_at
                   : before(memory + stages_[i - 1].kept_at, in_first * stage.shape.in_line);
    const size_t place = stage.ring ? lines.begin % stage.kept : lines.begin - progress.first[i];
    std::byte* to = memory + stage.kept_at + place * stage.shape.out_line;
    if (i + 1 == stages_.size()) to = static_cast<std::byte*>(args.out[0]) + out_line * stage.shape.out_line;
    with_operands(args, i, in, before(to, out_line * stage.shape.out_line), nullptr,
                  [&](const RunArgs& run) { stage.rows->run_lines(run, lines, {}); });
    if (stage.table == nullptr) return;
    auto* bytes = reinterpret_cast<uint8_t*>(to);
    apply_lut(bytes, bytes, (lines.end - lines.begin) * stage.shape.out_line, stage.table);
  }

  // An address that may lie outside any memory.
  static std::byte* before(std::byte* address, size_t bytes) noexcept {
    return reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(address) - bytes);
  }

  template <class Call>
  void with_operands(const RunArgs& args, size_t i, void* in0, void* out, const ThreadPool* pool,
                     const Call& call) const noexcept {
    const Stage& stage = stages_[i];
    std::array<void*, kMostOperands> in{in0};
    for (size_t k = 1; k < stage.operands.size(); ++k) {
      in[k] = stage.operands[k] == SIZE_MAX ? nullptr : args.in[stage.operands[k]];
    }
    call(RunArgs{in.data(), &out, args.workspace + stage.workspace_at, pool});
  }

  std::vector<Stage> stages_;
  size_t shared_ = 0, section_ = 0;  // bytes of workspace: of the stages, and of each section
  size_t sections_ = 1;
};

// Grows chains over the steps of a plan.
class Bands {
 public:
  Bands(const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps)
      : infos_(infos), steps_(steps), uses_(graph), reader_(graph.value_count(), kNobody) {
    for (size_t s = 0; s < steps.size(); ++s) {
      for (ValueId id : steps[s].inputs) {
        if (id == kNoValue) continue;
        size_t& reader = reader_[static_cast<size_t>(id)];
        reader = reader == kNobody ? s : kSeveral;
      }
    }
  }

  void join() && {
    for (size_t s = 0; s < steps_.size(); ++s) {
      const std::vector<size_t> members = chain_from(s);
      if (members.size() > 1) replace(members);
    }
    std::erase_if(steps_, [](const Step& step) { return step.def == nullptr; });
  }

 private:
  static constexpr size_t kNobody = SIZE_MAX, kSeveral = SIZE_MAX - 1;

  LineShape lines_of(const Step& step) const {
    if (step.def == nullptr || step.dynamic || step.outputs.size() != 1 || step.prepared.kernel == nullptr) return {};
    if (step.inputs.size() > kMostOperands || reads_state(step)) return {};
    ops::RowKernel* rows = step.prepared.kernel->rows();
    const LineShape shape = rows == nullptr ? LineShape{} : rows->lines();
    return shape.out_lines > 0 && shape.in_lines > 0 && shape.out_line > 0 ? shape : LineShape{};
  }
  // A step moved to the place of a later one must not read what may change between.
  bool reads_state(const Step& step) const {
    return std::any_of(step.inputs.begin(), step.inputs.end(),
                       [&](ValueId id) { return id != kNoValue && infos_[static_cast<size_t>(id)].is_variable; });
  }
  static bool is_table(const Step& step) {
    return step.def != nullptr && !step.dynamic && step.prepared.kernel != nullptr &&
           step.prepared.kernel->byte_table() != nullptr;
  }

  // The steps from s on that can run as one.
  std::vector<size_t> chain_from(size_t s) const {
    if (lines_of(steps_[s]).images == 0) return {};
    std::vector<size_t> members = {s};
    for (size_t stages = 1;;) {
      const ValueId made = steps_[members.back()].outputs[0];
      const size_t next = reader_[static_cast<size_t>(made)];
      if (next >= kSeveral || uses_.is_graph_output(made) || steps_[next].inputs[0] != made) break;
      if (std::count(steps_[next].inputs.begin(), steps_[next].inputs.end(), made) > 1) break;
      const TensorInfo& tensor = infos_[static_cast<size_t>(made)];
      if (byte_size(tensor.dtype, tensor.shape).value_or(0) < kLeastBytes) break;
      if (is_table(steps_[next])) {
        if (is_table(steps_[members.back()])) break;
      } else {
        const LineShape shape = lines_of(steps_[next]);
        if (shape.images == 0 || shape.reads == Reads::kAll || stages == kMostStages) break;
        ++stages;
      }
      members.push_back(next);
    }
    return members;
  }

  // Makes the last of the steps that of all.
  void replace(std::span<const size_t> members) {
    std::vector<Stage> stages;
    Step joined;
    for (size_t s : members) {
      Step& step = steps_[s];
      joined.prepared.choice += (joined.prepared.choice.empty() ? "" : "; ") + step.prepared.choice;
      auto& declined = joined.prepared.declined;
      declined.insert(declined.end(), step.prepared.declined.begin(), step.prepared.declined.end());
      if (is_table(step)) {
        stages.back().table = step.prepared.kernel->byte_table();
        stages.back().table_owner = std::move(step.prepared.kernel);
      } else {
        joined.node = step.node;
        joined.def = step.def;
        stages.push_back(stage_of(step, joined.inputs));
      }
      joined.outputs = {step.outputs[0]};
      step = Step{};
    }
    const size_t lines = lines_at_once(stages);
    auto kernel = std::make_unique<BandKernel>(std::move(stages), lines);
    joined.prepared.choice += fmt::format("; by {} line{}", lines, lines == 1 ? "" : "s");
    joined.prepared.workspace = kernel->workspace();
    joined.prepared.kernel = std::move(kernel);
    steps_[members.back()] = std::move(joined);
  }

  // inputs: of the chain so far; the step's are added.
  static Stage stage_of(Step& step, std::vector<ValueId>& inputs) {
    Stage stage;
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      const bool between = k == 0 && !inputs.empty();
      stage.operands.push_back(between || step.inputs[k] == kNoValue ? SIZE_MAX : inputs.size());
      if (stage.operands.back() != SIZE_MAX) inputs.push_back(step.inputs[k]);
    }
    stage.workspace = step.prepared.workspace;
    stage.kernel = std::move(step.prepared.kernel);
    stage.rows = stage.kernel->rows();
    stage.shape = stage.rows->lines();
    return stage;
  }

  // As many lines of the last stage as the cache has room for.
  static size_t lines_at_once(std::vector<Stage>& stages) {
    size_t lines = 1;
    const LineShape& made = stages.back().shape;
    const size_t most = std::clamp<size_t>(kBandBytes / made.out_line, 1, made.out_lines);
    while (lines < most && BandKernel::lay_out(stages, lines + 1) <= kBandBytes) ++lines;
    return lines;
  }

  std::span<const TensorInfo> infos_;
  std::vector<Step>& steps_;
  UseMap uses_;
  std::vector<size_t> reader_;  // the step that reads each value
};

}  // namespace

void join_line_bands(const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps) {
  Bands(graph, infos, steps).join();
}

}  // namespace fewbits::runtime
