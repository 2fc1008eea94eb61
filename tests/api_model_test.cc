// Models through the public API: load, describe, save.
#include <fstream>

#include "api_support.h"
#include "fewbits/model.h"

namespace fewbits {
namespace {

using test::shared;
using test::TemporaryFolder;

TEST(ApiModel, DescribesWhatIsThere) {
  const ModelDescription model = describe_model(*shared(test::classifier()));
  EXPECT_EQ(model.path, "test.tflite");
  EXPECT_EQ(model.description, "made for a test");
  ASSERT_EQ(model.subgraphs.size(), 1u);
  const SubgraphDescription& graph = model.subgraphs[0];
  ASSERT_EQ(graph.operators.size(), 4u);
  EXPECT_EQ(graph.operators[0].type, "CONV_2D");
  EXPECT_EQ(graph.operators[0].constant_bytes, (8 * 27 + 8) * sizeof(float));
  EXPECT_EQ(graph.operators[2].constant_bytes, (10 * 512 + 10) * sizeof(float));
  EXPECT_EQ(model.constant_bytes, (8 * 27 + 8 + 10 * 512 + 10) * sizeof(float) + 2 * sizeof(int32_t));
  ASSERT_EQ(model.signatures.size(), 1u);
  EXPECT_EQ(model.signatures[0].key, "serve");
  EXPECT_EQ(model.signatures[0].inputs[0].label(), "image");
  EXPECT_EQ(model.signatures[0].inputs[0].name, "x");
  EXPECT_EQ(model.signatures[0].inputs[0].shape, (Shape{1, 8, 8, 3}));
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.operators[0].inputs[1])].name, "conv/w");
}

TEST(ApiModel, ConstantsAreReadAsStored) {
  const ModelPtr model = shared(test::classifier());
  const SubgraphDescription graph = describe_model(*model).subgraphs[0];
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    const auto array = constant_array(*model, 0, static_cast<int32_t>(i));
    ASSERT_EQ(array.has_value(), graph.tensors[i].constant);
    if (array) {
      EXPECT_EQ(array->bytes.size(), graph.tensors[i].bytes);
    }
  }
  EXPECT_ERROR(constant_array(*model, 0, 9999), ErrorCode::kInvalidArgument, "no tensor 9999");
  EXPECT_ERROR(constant_array(*model, 7, 0), ErrorCode::kInvalidArgument, "subgraph 7");
}

TEST(ApiModel, DynamicSizesAreMinusOne) {
  const auto signature = describe_signature(*shared(test::dynamic_adder()));
  ASSERT_TRUE(signature);
  EXPECT_EQ(signature->inputs[0].shape, (Shape{1, -1}));
}

TEST(ApiModel, AnUnknownSignatureListsTheKnown) {
  EXPECT_ERROR(describe_signature(*shared(test::classifier()), "decode"), ErrorCode::kNotFound, "it has serve");
}

TEST(ApiModel, SavesAndLoadsAgain) {
  const TemporaryFolder folder;
  const ModelPtr model = shared(test::classifier());
  ASSERT_TRUE(save_model(*model, folder / "m.tflite"));
  const auto again = load_model(folder / "m.tflite");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(describe_model(**again).constant_bytes, describe_model(*model).constant_bytes);
  EXPECT_EQ(*model_bytes(*model), *model_bytes(**again));
}

TEST(ApiModel, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  EXPECT_ERROR(load_model(folder / "none.tflite"), ErrorCode::kNotFound, "none.tflite");
  std::ofstream(folder / "text.tflite") << "this is no model";
  EXPECT_ERROR(load_model(folder / "text.tflite"), ErrorCode::kInvalidModel, "text.tflite");
  EXPECT_ERROR(load_model_bytes({}, "empty"), ErrorCode::kInvalidModel, "empty");
  const Status saved = save_model(*shared(test::classifier()), folder / "no/such/folder/m.tflite");
  ASSERT_FALSE(saved);
  EXPECT_THAT(saved.error().message, testing::HasSubstr("no/such/folder"));
}

}  // namespace
}  // namespace fewbits
