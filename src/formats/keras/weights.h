// Where a layer's weights lie: by the layer's name in an .h5 model, by its place among the layers in a .keras file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/keras/hdf5.h"

namespace fewbits::keras {

// A layer's weights in the order in which Keras makes them.
class LayerWeights {
 public:
  LayerWeights() = default;
  // .keras: the variables of a group, "GROUP/vars/0", ...; parts of a layer lie in groups below it.
  LayerWeights(std::shared_ptr<const Hdf5File> file, std::string group);
  // .h5: a list of datasets; parts of a layer take theirs from it in turn.
  LayerWeights(std::shared_ptr<const Hdf5File> file, std::vector<std::string> datasets);

  // The next weight.
  Result<NumberArray> take();
  // The weights of a part: "cell", "forward_layer".
  LayerWeights part(const std::string& name) const;
  // Of an .h5 model inside a model: those that belong to its layer of that name.
  LayerWeights of_layer(const std::string& layer_name) const;

 private:
  std::shared_ptr<const Hdf5File> file_;
  std::string group_;
  std::shared_ptr<const std::vector<std::string>> datasets_;
  std::shared_ptr<size_t> next_;
};

// The weights of a layer of an .h5 model, `root` being the group that holds one group a layer.
Result<LayerWeights> h5_layer_weights(const std::shared_ptr<const Hdf5File>& file, const std::string& root,
                                      const std::string& layer_name);

// "BatchNormalization" -> "batch_normalization": the names of groups in a .keras file.
std::string snake_case(const std::string& class_name);

}  // namespace fewbits::keras
