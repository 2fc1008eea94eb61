// The parts of the Keras importer that need no file of Keras's; layers are tested against Keras in tests/keras.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/keras/hdf5.h"
#include "formats/keras/model.h"
#include "formats/keras/weights.h"

namespace fewbits::keras {
namespace {

using ::testing::HasSubstr;

Result<formats::Imported> convert(const char* json, const formats::ImportOptions& options = {}) {
  WeightScope scope;
  scope.by_place = true;
  scope.root = "/layers";
  return convert_model(Json::parse(json), scope, 3, options, "model.keras");
}

TEST(Weights, GroupsAreNamedAsKerasNamesThem) {
  EXPECT_EQ(snake_case("Dense"), "dense");
  EXPECT_EQ(snake_case("BatchNormalization"), "batch_normalization");
  EXPECT_EQ(snake_case("GlobalAveragePooling2D"), "global_average_pooling2d");
  EXPECT_EQ(snake_case("ReLU"), "re_lu");
  EXPECT_EQ(snake_case("PReLU"), "p_re_lu");
  EXPECT_EQ(snake_case("LSTM"), "lstm");
  EXPECT_EQ(snake_case("SimpleRNN"), "simple_rnn");
}

TEST(Hdf5, BytesThatAreNoFileAreAnError) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  const auto file = Hdf5File::from_member({bytes, nullptr}, "weights");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("weights"));
}

TEST(KerasModel, UnknownLayersAreListedByName) {
  const auto model = convert(R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "x"}},
    {"class_name": "MyLayer", "config": {"name": "first"}}, {"class_name": "Lambda", "config": {"name": "second"}}]}})");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(model.error().message, HasSubstr("'first' (MyLayer)"));
  EXPECT_THAT(model.error().message, HasSubstr("'second' (Lambda)"));
}

TEST(KerasModel, ALayerThatWaitsForItselfIsAnError) {
  const auto model = convert(R"({"class_name": "Functional", "config": {
    "input_layers": ["x", 0, 0], "output_layers": ["a", 0, 0], "layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}, "name": "x", "inbound_nodes": []},
    {"class_name": "ReLU", "config": {}, "name": "a", "inbound_nodes": [[["b", 0, 0, {}]]]},
    {"class_name": "ReLU", "config": {}, "name": "b", "inbound_nodes": [[["a", 0, 0, {}]]]}]}})");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("waits for what is never made"));
}

TEST(KerasModel, MissingWeightsNameTheLayer) {
  const auto model = convert(R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "x"}},
    {"class_name": "Dense", "config": {"name": "head", "units": 2}}]}})");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("'head' (Dense)"));
}

TEST(KerasModel, MalformedConfigurationsAreErrors) {
  for (const char* json :
       {R"({})", R"({"class_name": "Sequential"})", R"({"class_name": "Functional", "config": 3})",
        R"({"class_name": "Functional", "config": {"layers": [7]}})",
        R"({"class_name": "Sequential", "config": {"layers": [[]]}})",
        R"({"class_name": "Sequential", "config": {"layers": [
                               {"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}},
                               {"class_name": "Reshape", "config": {"target_shape": {"a": 1}}}]}})",
        R"({"class_name": "Functional", "config": {"input_layers": ["x", 0, 0], "output_layers": ["n", 0, 0],
                               "layers": [{"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}, "name": "x"},
                               {"class_name": "Normalization", "name": "n", "config": {"axis": [-1], "mean": [1, 2],
                               "variance": [1, 2]}, "inbound_nodes": [{"args": [3], "kwargs": {}}]}]}})"}) {
    EXPECT_FALSE(convert(json)) << json;
  }
}

}  // namespace
}  // namespace fewbits::keras
