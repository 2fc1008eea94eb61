// Graphs made of messages, as TensorFlow writes them: calls, variables, errors that name what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/savedmodel/import.h"
#include "formats/savedmodel/tensorflow.pb.h"
#include "formats/savedmodel/wire.h"

namespace fewbits::savedmodel {
namespace {

using ::testing::HasSubstr;

// Writes a SavedModel's messages; one signature "serving_default" with input "x" and output "y".
class ModelWriter {
 public:
  ModelWriter() {
    model_.set_saved_model_schema_version(1);
    meta_ = model_.add_meta_graphs();
    meta_->mutable_meta_info_def()->add_tags("serve");
    auto* x = graph()->add_node();
    x->set_name("x_in");
    x->set_op("Placeholder");
    auto* signature = meta_->add_signature_def();
    signature->set_key("serving_default");
    auto* input = signature->mutable_value()->add_inputs();
    input->set_key("x");
    input->mutable_value()->set_name("x_in:0");
    input->mutable_value()->set_dtype(tf::DT_FLOAT);
    input->mutable_value()->mutable_tensor_shape()->add_dim()->set_size(-1);
    input->mutable_value()->mutable_tensor_shape()->add_dim()->set_size(4);
    output_ = signature->mutable_value()->add_outputs();
    output_->set_key("y");
  }
  tf::GraphDef* graph() { return meta_->mutable_graph_def(); }
  tf::MetaGraphDef* meta() { return meta_; }
  void set_output(const std::string& tensor) { output_->mutable_value()->set_name(tensor); }
  tf::NodeDef* node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs) {
    return fill(graph()->add_node(), name, op, inputs);
  }
  static tf::NodeDef* fill(tf::NodeDef* node, const std::string& name, const std::string& op,
                           const std::vector<std::string>& inputs) {
    node->set_name(name);
    node->set_op(op);
    for (const auto& input : inputs) node->add_input(input);
    return node;
  }
  // A call of a function `name` with one argument "a".
  void call(const std::string& node_name, const std::string& function, const std::string& input) {
    auto* attr = node(node_name, "StatefulPartitionedCall", {input})->add_attr();
    attr->set_key("f");
    attr->mutable_value()->mutable_func()->set_name(function);
  }
  tf::FunctionDef* function(const std::string& name, const std::string& returned) {
    auto* out = graph()->mutable_library()->add_function();
    out->mutable_signature()->set_name(name);
    out->mutable_signature()->add_input_arg()->set_name("a");
    out->mutable_signature()->add_output_arg()->set_name("r");
    auto* ret = out->add_ret();
    ret->set_key("r");
    ret->set_value(returned);
    return out;
  }
  std::string bytes() const { return model_.SerializeAsString(); }

 private:
  tf::SavedModel model_;
  tf::MetaGraphDef* meta_;
  tf::SignatureDef::Entry* output_;
};

Result<formats::Imported> import(const std::string& bytes, const formats::ImportOptions& options = {}) {
  return import_bytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, options);
}

TEST(SavedModel, CallsAreInlinedAndTheBatchStaysOpen) {
  ModelWriter writer;
  auto* inner = writer.function("inner", "neg:y:0");
  ModelWriter::fill(inner->add_node_def(), "neg", "Neg", {"a"});
  auto* outer = writer.function("outer", "call:output:0");
  auto* call = ModelWriter::fill(outer->add_node_def(), "call", "PartitionedCall", {"relu:activations:0"});
  auto* attr = call->add_attr();
  attr->set_key("f");
  attr->mutable_value()->mutable_func()->set_name("inner");
  ModelWriter::fill(outer->add_node_def(), "relu", "Relu", {"a"});
  writer.call("layer", "outer", "x_in");
  writer.set_output("layer:0");
  const auto imported = import(writer.bytes());
  ASSERT_TRUE(imported) << imported.error().message;
  const Graph& graph = imported->model.main();
  ASSERT_EQ(graph.order().size(), 2u);
  EXPECT_EQ(graph.node(graph.order()[0]).op, Op::RELU);
  EXPECT_EQ(graph.node(graph.order()[1]).op, Op::NEG);
  EXPECT_EQ(graph.value(graph.inputs[0]).shape_signature, Shape({-1, 4}));
  EXPECT_EQ(imported->model.signatures[0].outputs[0].name, "y");
}

TEST(SavedModel, AGivenShapeReplacesTheFilesOwn) {
  ModelWriter writer;
  writer.node("y", "Relu", {"x_in"});
  writer.set_output("y:0");
  const auto imported = import(writer.bytes(), {.shapes = {{"x", {3, 4}}}});
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->model.main().value(imported->model.main().inputs[0]).shape, Shape({3, 4}));
}

TEST(SavedModel, AllUnknownOperatorsAreListed) {
  ModelWriter writer;
  writer.node("one", "MadeUp", {"x_in"});
  writer.node("two", "StringLower", {"one"});
  writer.node("never_read", "AlsoMadeUp", {"two"});
  writer.set_output("two:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(imported.error().message, HasSubstr("'one' (MadeUp)"));
  EXPECT_THAT(imported.error().message, HasSubstr("'two' (StringLower)"));
  EXPECT_EQ(imported.error().message.find("AlsoMadeUp"), std::string::npos);
}

TEST(SavedModel, FunctionsThatCallEachOtherAreAnError) {
  ModelWriter writer;
  for (const auto& [name, other] : {std::pair("f", "g"), std::pair("g", "f")}) {
    auto* function = writer.function(name, "call:output:0");
    auto* call = ModelWriter::fill(function->add_node_def(), "call", "PartitionedCall", {"a"});
    auto* attr = call->add_attr();
    attr->set_key("f");
    attr->mutable_value()->mutable_func()->set_name(other);
  }
  writer.call("layer", "f", "x_in");
  writer.set_output("layer:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("calls itself"));
}

TEST(SavedModel, FunctionsThatDoubleAtEveryCallEnd) {
  ModelWriter writer;
  auto* least = writer.function("f0", "neg:y:0");
  ModelWriter::fill(least->add_node_def(), "neg", "Neg", {"a"});
  for (int i = 1; i <= 40; ++i) {
    auto* twice = writer.function("f" + std::to_string(i), "second:output:0");
    for (const auto& [name, input] : {std::pair("first", "a"), std::pair("second", "first:output:0")}) {
      auto* attr = ModelWriter::fill(twice->add_node_def(), name, "PartitionedCall", {input})->add_attr();
      attr->set_key("f");
      attr->mutable_value()->mutable_func()->set_name("f" + std::to_string(i - 1));
    }
  }
  writer.call("call", "f40", "x_in");
  writer.set_output("call:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("more than 250000 nodes"));
}

TEST(SavedModel, AnAxisThatIsNoNumberIsAnError) {
  ModelWriter writer;
  auto* attr = writer.node("axis", "Const", {})->add_attr();
  attr->set_key("value");
  attr->mutable_value()->mutable_tensor()->set_dtype(tf::DT_INT32);
  attr->mutable_value()->mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(0);
  writer.node("arg", "ArgMax", {"x_in", "axis"});
  writer.set_output("arg:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("its axis must be one number, and is 0"));
}

TEST(SavedModel, NodesThatDependOnThemselvesAreAnError) {
  ModelWriter writer;
  writer.node("a", "Neg", {"b"});
  writer.node("b", "Neg", {"a"});
  writer.set_output("b:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("depends on its own output"));
}

TEST(SavedModel, WritingAVariableIsAnErrorThatNamesTheNode) {
  ModelWriter writer;
  auto* function = writer.function("train", "neg:y:0");
  ModelWriter::fill(function->add_node_def(), "neg", "Neg", {"a"});
  ModelWriter::fill(function->add_node_def(), "update", "AssignVariableOp", {"a", "neg:y:0"});
  writer.call("layer", "train", "x_in");
  writer.set_output("layer:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("update"));
  EXPECT_THAT(imported.error().message, HasSubstr("training=False"));
}

TEST(SavedModel, AVariableWithoutValuesIsNamed) {
  ModelWriter writer;
  writer.node("weights", "VarHandleOp", {});
  writer.node("read", "ReadVariableOp", {"weights"});
  writer.node("y", "Add", {"x_in", "read"});
  writer.set_output("y:0");
  const auto imported = import(writer.bytes());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message, HasSubstr("'weights'"));
}

TEST(SavedModel, UnknownTagsAndSignaturesListWhatIsThere) {
  ModelWriter writer;
  writer.node("y", "Relu", {"x_in"});
  writer.set_output("y:0");
  const auto wrong_tag = import(writer.bytes(), {.tags = {"gpu"}});
  ASSERT_FALSE(wrong_tag);
  EXPECT_THAT(wrong_tag.error().message, HasSubstr("there is serve"));
  const auto wrong_signature = import(writer.bytes(), {.signature = "predict"});
  ASSERT_FALSE(wrong_signature);
  EXPECT_THAT(wrong_signature.error().message, HasSubstr("serving_default"));
}

TEST(SavedModel, EveryTruncationIsAnErrorOrASmallerModel) {
  ModelWriter writer;
  writer.node("y", "Relu", {"x_in"});
  writer.set_output("y:0");
  const std::string bytes = writer.bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto imported = import(bytes.substr(0, size));
    EXPECT_FALSE(imported && size < bytes.size() / 2) << size;
  }
}

// Functions and nodes are read when they are needed: the message says which one cannot be.
TEST(SavedModel, ADamagedFunctionIsNamed) {
  ModelWriter writer;
  auto* function = writer.function("layers", "neg:y:0");
  ModelWriter::fill(function->add_node_def(), "neg", "Neg", {"a"});
  writer.call("layer", "layers", "x_in");
  writer.set_output("layer:0");
  std::string bytes = writer.bytes();
  const std::string argument(
      "\x12\x03\x0a\x01"
      "a",
      5);  // input_arg { name: "a" }
  const size_t at = bytes.find(argument);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 3] = 9;  // a name that is longer than what holds it
  const auto imported = import(bytes);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(imported.error().message, HasSubstr("the function 'layers' cannot be read: the file is damaged"));
}

TEST(SavedModel, ADamagedNodeIsNamedWhenItIsNeeded) {
  for (const bool needed : {true, false}) {
    ModelWriter writer;
    writer.node("y", "Relu", {"x_in"});
    auto* attr = writer.node("other", "Elu", {"y"})->add_attr();
    attr->set_key("marked");
    attr->mutable_value()->set_s("text");
    writer.set_output(needed ? "other:0" : "y:0");
    std::string bytes = writer.bytes();
    const size_t at = bytes.find("text");
    ASSERT_NE(at, std::string::npos);
    bytes[at - 1] = 5;
    const auto imported = import(bytes);
    EXPECT_EQ(imported.has_value(), !needed);
    if (needed) {
      EXPECT_THAT(imported.error().message, HasSubstr("the node 'other' cannot be read"));
    }
  }
}

// The examples of protobuf's own description of its encoding: field 1 is 150, field 2 "testing".
TEST(Fields, AreFoundWhereTheyLie) {
  const uint8_t bytes[] = {0x08, 0x96, 0x01, 0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g', 0x1d, 1, 2, 3, 4};
  Fields fields(bytes);
  ASSERT_TRUE(fields.next());
  EXPECT_EQ(fields.number(), 1u);
  EXPECT_TRUE(fields.bytes().empty());
  ASSERT_TRUE(fields.next());
  EXPECT_EQ(fields.number(), 2u);
  EXPECT_EQ(text_of(fields.bytes()), "testing");
  ASSERT_TRUE(fields.next());
  EXPECT_EQ(fields.number(), 3u);
  EXPECT_FALSE(fields.next());
  EXPECT_FALSE(fields.damaged());
}

TEST(Fields, ThatAreCutOffAreDamaged) {
  const uint8_t bytes[] = {0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g'};
  for (size_t size = 1; size < sizeof(bytes); ++size) {
    Fields fields(ByteSpan(bytes).first(size));
    EXPECT_FALSE(fields.next()) << size;
    EXPECT_TRUE(fields.damaged()) << size;
  }
}

TEST(Fields, GroupsArePassedOver) {
  const uint8_t bytes[] = {0x0b, 0x10, 0x05, 0x0c, 0x18, 0x01};  // field 1 is a group of one number
  Fields fields(bytes);
  ASSERT_TRUE(fields.next());
  EXPECT_EQ(fields.number(), 1u);
  ASSERT_TRUE(fields.next());
  EXPECT_EQ(fields.number(), 3u);
  EXPECT_FALSE(fields.next());
  EXPECT_FALSE(fields.damaged());
  for (const uint8_t alone : {uint8_t{0x0b}, uint8_t{0x0c}}) {  // begun and not ended, and the other way round
    Fields damaged(ByteSpan(&alone, 1));
    EXPECT_FALSE(damaged.next());
    EXPECT_TRUE(damaged.damaged());
  }
}

TEST(GraphDef, PlaceholdersGoInAndWhatNothingReadsComesOut) {
  tf::GraphDef graph;
  auto* x = ModelWriter::fill(graph.add_node(), "x", "Placeholder", {});
  auto* attr = x->add_attr();
  attr->set_key("dtype");
  attr->mutable_value()->set_type(tf::DT_FLOAT);
  attr = x->add_attr();
  attr->set_key("shape");
  attr->mutable_value()->mutable_shape()->add_dim()->set_size(2);
  ModelWriter::fill(graph.add_node(), "y", "Tanh", {"x"});
  const auto imported = import(graph.SerializeAsString());
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->model.signatures[0].inputs[0].name, "x");
  EXPECT_EQ(imported->model.signatures[0].outputs[0].name, "y");
}

}  // namespace
}  // namespace fewbits::savedmodel
