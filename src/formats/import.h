// Models from any format that fewbits reads: one entry a format, recognised by content, turned into TFLite operators.
//
// To add a format: a folder under formats/ with a function that gives its Format , and a line in
// import.cc. An importer builds with formats/builder.h, keeps the source's names for inputs and outputs, writes one Signature,
// and leaves clean-up (layout, batch norms, activations, ...) to passes/pipeline.h, which the caller runs.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::formats {

struct ImportOptions {
  std::string signature;                // which one of a SavedModel; empty: all, or the only one
  std::vector<std::string> tags;        // of a SavedModel's graph; empty: "serve"
  std::map<std::string, Shape> shapes;  // by input name; -1 leaves a size open
  bool recurrent_loops = false;         // recurrent networks as WHILE where they would be written out step by step
};

struct Imported {
  Model model;
  std::vector<std::string> warnings;  // what the user should know
};

// The beginning of a file, or of nothing when `path` is a folder.
struct Source {
  std::string path;
  bool is_folder = false;
  std::span<const uint8_t> head;  // up to 4 KB
};

struct Format {
  const char* name;                          // "onnx": what JSON output says
  const char* files;                         // "ONNX (.onnx)": what error messages list
  bool optimized;                            // already TFLite: the passes are not run on it
  bool (*recognizes)(const Source& source);  // by content first, by name where content does not tell
  Result<Imported> (*read)(const std::string& path, const ImportOptions& options);
  bool channels_first =
      false;  // images are so by convention: inputs and outputs become channels-last unless asked not to
};

// Names for the open sizes of an input whose format has none, for GraphBuilder::input: the first is the batch, the same for all
// inputs; the others are the same for inputs of the same shape (token ids and their mask).
std::vector<std::string> usual_symbols(const Shape& shape);

// Every format, in the order in which they are asked.
std::span<const Format* const> all_formats();
// The format of what lies at `path`. kNotFound when nothing does, kUnsupported lists the formats when none fits.
Result<const Format*> format_of(const std::string& path);

}  // namespace fewbits::formats
