// Models from other formats: what training leaves behind becomes a TFLite graph, cleaned up and ready to be quantized or saved.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "fewbits/model.h"

namespace fewbits {

struct ConvertOptions {
  std::string signature;                // which one of a SavedModel; empty: all, or the only one
  std::vector<std::string> tags;        // of a SavedModel's graph; empty: "serve"
  std::map<std::string, Shape> shapes;  // by input name, as the model has it; -1 leaves a size open
  bool keep_layout = false;  // channels-first images stay so at inputs and outputs; else they become channels-last
  // LSTM and simple RNN layers become UNIDIRECTIONAL_SEQUENCE_LSTM and _RNN where these can say them, as TensorFlow's converter
  // makes of Keras 2's LSTM. Smaller, and quantizable; but they go on from where the run before ended, until the interpreter's
  // variables are reset. Without it they are loops (or written out), which begin at zero in every run, as the layers do.
  bool fuse_recurrent = false;
};

// What one pass did to the graph.
struct PassCount {
  std::string name;
  size_t changes = 0;
};

struct ConvertResult {
  ModelPtr model;
  std::string format;  // "onnx", "tflite"
  std::vector<PassCount> passes;
  std::vector<std::string> warnings;
};

// Reads a model of any format that fewbits knows, recognised by content. A .tflite file is given as it is. Errors: kNotFound,
// kIo, kInvalidModel for what breaks its format's rules, kUnsupported for what TFLite's operators cannot say: all of them at
// once, with the nodes' names.
Result<ConvertResult> convert_file(const std::string& path, const ConvertOptions& options = {});

// The .tflite file as C source, for programs without a file system: `alignas(16) const unsigned char NAME[]` and its size
// NAME_size, in C11 and C++. kInvalidArgument for a name that is no identifier.
Result<std::string> model_as_c(const Model& model, const std::string& name);

}  // namespace fewbits
