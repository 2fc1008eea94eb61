// SavedModels and frozen GraphDefs as a format that fewbits reads.
#pragma once

#include "formats/import.h"

namespace fewbits::savedmodel {

const formats::Format& format() noexcept;

// What `fewbits convert` does with bytes that are already there: for fuzzing.
Result<formats::Imported> import_bytes(std::span<const uint8_t> bytes, const formats::ImportOptions& options);

}  // namespace fewbits::savedmodel
