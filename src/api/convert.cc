// Public conversion: an importer, then the passes.
#include "fewbits/convert.h"

#include "api/runtime/guard.h"
#include "formats/import.h"
#include "passes/pipeline.h"

namespace fewbits {

Result<ConvertResult> convert_file(const std::string& path, const ConvertOptions& options) {
  return api::guarded([&]() -> Result<ConvertResult> {
    FB_ASSIGN(const formats::Format* format, formats::format_of(path));
    FB_ASSIGN(formats::Imported imported, format->read(path, {options.signature, options.tags, options.shapes}));
    ConvertResult result;
    result.format = format->name;
    result.warnings = std::move(imported.warnings);
    if (!format->optimized) {
      const bool keep_layout = options.keep_layout || !format->channels_first;
      FB_ASSIGN(const auto counts, passes::run_pipeline(imported.model, {keep_layout}));
      for (const passes::Count& count : counts) result.passes.push_back({count.name, count.changes});
      FB_TRY(verify(imported.model));
    }
    result.model = std::make_shared<const Model>(std::move(imported.model));
    return result;
  });
}

}  // namespace fewbits
