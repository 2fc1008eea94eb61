// A Keras model's configuration walked call by call: Sequential, Functional, and models inside models.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "formats/import.h"
#include "formats/keras/layer.h"

namespace fewbits::keras {

// Where the weights of a model's layers are looked for.
struct WeightScope {
  std::shared_ptr<const Hdf5File> file;
  bool by_place = false;                 // .keras: groups named by class and place, below `root`
  std::string root;                      // the group that holds the layers' groups
  const LayerWeights* parent = nullptr;  // .h5, inside a nested model: its flat list
};

// Converts a model; `model_json` is {"class_name": ..., "config": ...}, `what` names the file in messages.
Result<formats::Imported> convert_model(const Json& model_json, const WeightScope& scope, int keras_major,
                                        const formats::ImportOptions& options, const std::string& what);

}  // namespace fewbits::keras
