// Public conversion: an importer, then the passes.
#include "fewbits/convert.h"

#include "api/runtime/guard.h"
#include "base/pages.h"
#include "formats/import.h"
#include "passes/pipeline.h"

namespace fewbits {
namespace {

// What --fuse-recurrent did, and did not.
void warn_of_state(const Model& model, std::vector<std::string>& warnings) {
  size_t fused = 0, loops = 0;
  for (const Graph& graph : model.graphs) {
    for (NodeId id : graph.order()) {
      const Op op = graph.node(id).op;
      fused += op == Op::UNIDIRECTIONAL_SEQUENCE_LSTM || op == Op::UNIDIRECTIONAL_SEQUENCE_RNN;
      loops += op == Op::WHILE;
    }
  }
  if (fused > 0) {
    warnings.push_back(
        fmt::format("{} recurrent layer{} keep{} the state from run to run: reset the interpreter's variables "
                    "(reset_all_variables) before each new sequence",
                    fused, fused == 1 ? "" : "s", fused == 1 ? "s" : ""));
  }
  if (loops > 0) {
    warnings.push_back(
        fmt::format("{} loop{} no sequence operator can say: those are for LSTM and simple RNN layers of a "
                    "fixed batch (--shape) that begin at zero, without masks",
                    loops, loops == 1 ? " stays, which" : "s stay, which"));
  }
}

}  // namespace

Result<ConvertResult> convert_file(const std::string& path, const ConvertOptions& options) {
  return api::guarded([&]() -> Result<ConvertResult> {
    FB_ASSIGN(const formats::Format* format, formats::format_of(path));
    FB_ASSIGN(formats::Imported imported,
              format->read(path, {options.signature, options.tags, options.shapes, options.fuse_recurrent}));
    trim_heap();
    ConvertResult result;
    result.format = format->name;
    result.warnings = std::move(imported.warnings);
    if (!format->optimized) {
      const bool keep_layout = options.keep_layout || !format->channels_first;
      FB_ASSIGN(const auto counts, passes::run_pipeline(imported.model, {keep_layout, options.fuse_recurrent}));
      for (const passes::Count& count : counts) result.passes.push_back({count.name, count.changes});
      if (options.fuse_recurrent) warn_of_state(imported.model, result.warnings);
      FB_TRY(verify(imported.model));
      trim_heap();
    }
    result.model = std::make_shared<const Model>(std::move(imported.model));
    return result;
  });
}

}  // namespace fewbits
