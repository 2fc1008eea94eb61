// ONNX files: the entry in formats/import.cc.
#pragma once

#include "formats/import.h"

namespace fewbits::onnx {

const formats::Format& format() noexcept;
// Reads a model from memory; `folder` is where external data is looked for (empty: none is read).
Result<formats::Imported> read_bytes(std::span<const uint8_t> bytes, const std::string& folder, const std::string& name,
                                     const formats::ImportOptions& options);

}  // namespace fewbits::onnx
