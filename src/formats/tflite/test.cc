// What is read is what was written; what is broken is an error, whatever the bytes.
#include <gtest/gtest.h>

#include <cstring>

#include "formats/tflite/reader.h"
#include "formats/tflite/writer.h"
#include "formats/tflite/zip_trailer.h"
#include "support/small_models.h"

namespace fewbits::tflite_format {
namespace {

using fewbits::testing::small_network;

std::vector<uint8_t> bytes_of(const Model& model, const WriteOptions& options = {}) {
  auto bytes = write_bytes(model, options);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

Result<Model> read(const std::vector<uint8_t>& bytes) {
  const auto owner = std::make_shared<const std::vector<uint8_t>>(bytes);
  return read_bytes(*owner, owner, "test.tflite");
}

void expect_equal(const Model& a, const Model& b) {
  ASSERT_EQ(a.graphs.size(), b.graphs.size());
  EXPECT_EQ(a.description, b.description);
  for (size_t g = 0; g < a.graphs.size(); ++g) {
    const Graph &x = a.graphs[g], &y = b.graphs[g];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.inputs, y.inputs);
    EXPECT_EQ(x.outputs, y.outputs);
    ASSERT_EQ(x.value_count(), y.value_count());
    for (size_t i = 0; i < x.value_count(); ++i) {
      const Value &v = x.value(static_cast<ValueId>(i)), &w = y.value(static_cast<ValueId>(i));
      EXPECT_EQ(v.name, w.name);
      EXPECT_EQ(v.dtype, w.dtype);
      EXPECT_EQ(v.shape, w.shape);
      EXPECT_EQ(v.shape_signature, w.shape_signature);
      EXPECT_EQ(v.is_variable, w.is_variable);
      EXPECT_EQ(v.is_const, w.is_const);
      EXPECT_EQ(v.quant.scale, w.quant.scale);
      EXPECT_EQ(v.quant.axis, w.quant.axis);
      ASSERT_EQ(v.data.bytes().size(), w.data.bytes().size()) << v.name;
      EXPECT_TRUE(std::equal(v.data.bytes().begin(), v.data.bytes().end(), w.data.bytes().begin())) << v.name;
    }
    ASSERT_EQ(x.order().size(), y.order().size());
    for (size_t i = 0; i < x.order().size(); ++i) {
      const Node &n = x.node(x.order()[i]), &m = y.node(y.order()[i]);
      EXPECT_EQ(n.op, m.op);
      EXPECT_EQ(n.custom_code, m.custom_code);
      EXPECT_EQ(n.version, m.version);
      EXPECT_EQ(n.inputs, m.inputs);
      EXPECT_EQ(n.outputs, m.outputs);
      EXPECT_EQ(n.options->type, m.options->type);
    }
  }
  ASSERT_EQ(a.signatures.size(), b.signatures.size());
  for (size_t i = 0; i < a.signatures.size(); ++i) {
    EXPECT_EQ(a.signatures[i].key, b.signatures[i].key);
    EXPECT_EQ(a.signatures[i].inputs[0].name, b.signatures[i].inputs[0].name);
    EXPECT_EQ(a.signatures[i].outputs[0].value, b.signatures[i].outputs[0].value);
  }
  ASSERT_EQ(a.metadata.size(), b.metadata.size());
  EXPECT_EQ(a.metadata[0].name, b.metadata[0].name);
}

TEST(TfliteFormat, WhatIsWrittenIsRead) {
  const Model model = small_network();
  const auto back = read(bytes_of(model));
  ASSERT_TRUE(back) << back.error().message;
  expect_equal(model, *back);
  const auto* conv = back->main().node(0).options->AsConv2DOptions();
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->fused_activation_function, tflite::ActivationFunctionType::RELU);
}

TEST(TfliteFormat, UnknownOperatorsPassThrough) {
  Model model = small_network();
  Graph& g = model.main();
  Node custom;
  custom.op = Op::CUSTOM;
  custom.custom_code = "FlexThing";
  custom.custom_options = ConstData::own(std::vector<uint8_t>{1, 2, 3});
  custom.inputs = g.outputs;
  custom.outputs = {testing::add_value(g, "after", {1, 5})};
  g.outputs = custom.outputs;
  g.add_node(std::move(custom));
  model.signatures[0].outputs[0].value = g.outputs[0];
  const auto back = read(bytes_of(model));
  ASSERT_TRUE(back) << back.error().message;
  expect_equal(model, *back);
  const Node& node = back->main().node(back->main().order().back());
  EXPECT_EQ(node.custom_code, "FlexThing");
  ASSERT_EQ(node.custom_options.bytes().size(), 3u);
  EXPECT_EQ(node.custom_options.bytes()[2], 3);
}

// Scales of blocks are tensors that no operator reads: they are written, under the number that they have there, and what nothing
// names is not.
TEST(TfliteFormat, ScalesOfBlocksFollowTheirWeights) {
  Model model = small_network();
  Graph& g = model.main();
  fewbits::testing::add_floats(g, "left over", {500}, std::vector<float>(500, 1));
  const Node& dense = g.node(g.order()[3]);
  ASSERT_EQ(dense.op, Op::FULLY_CONNECTED);
  tflite::BlockwiseQuantizationT blocks;
  blocks.scales =
      fewbits::testing::add_const<uint16_t>(g, "scales", {5, 4}, std::vector<uint16_t>(20, 0x3c00), DType::kFloat16);
  blocks.zero_points = -1;
  blocks.block_size = 32;
  auto details = std::make_shared<tflite::QuantizationDetailsUnion>();
  details->Set(blocks);
  Value& weights = g.value(dense.inputs[1]);
  weights.dtype = DType::kInt4;
  weights.data = ConstData::own(std::vector<uint8_t>(320, 0x11));
  weights.quant = {.details = details};
  const auto back = read(bytes_of(model));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->main().value_count(), g.value_count() - 1);
  const Value& read_weights = back->main().value(back->main().node(3).inputs[1]);
  ASSERT_NE(read_weights.quant.details, nullptr);
  const auto* read_blocks = read_weights.quant.details->AsBlockwiseQuantization();
  ASSERT_NE(read_blocks, nullptr);
  EXPECT_EQ(read_blocks->block_size, 32);
  EXPECT_EQ(read_blocks->zero_points, -1);
  ASSERT_TRUE(back->main().valid(read_blocks->scales));
  EXPECT_EQ(back->main().value(read_blocks->scales).name, "scales");
}

TEST(TfliteFormat, LargeModelsKeepBuffersBehindTheFlatbuffer) {
  const Model model = small_network();
  WriteOptions options;
  options.max_flatbuffer = 1024;
  const auto bytes = bytes_of(model, options);
  const auto back = read(bytes);
  ASSERT_TRUE(back) << back.error().message;
  expect_equal(model, *back);
  const tflite::Model* root = tflite::GetModel(bytes.data());
  bool outside = false;
  for (const tflite::Buffer* buffer : *root->buffers()) {
    EXPECT_EQ(buffer->data(), nullptr);
    outside |= buffer->offset() > 1;
    EXPECT_EQ(buffer->offset() % 16, 0u);
  }
  EXPECT_TRUE(outside);
  std::vector<uint8_t> cut(bytes.begin(), bytes.end() - 16);
  EXPECT_FALSE(read(cut));
}

// A stored zip of one empty file, put together from the zip application note.
std::vector<uint8_t> zip_at(uint32_t offset) {
  std::vector<uint8_t> zip;
  const auto u16 = [&](uint32_t v) { zip.push_back(v & 255), zip.push_back(v >> 8 & 255); };
  const auto u32 = [&](uint32_t v) { u16(v & 65535), u16(v >> 16); };
  u32(0x04034b50), u16(20), u16(0), u16(0), u16(0), u16(0), u32(0), u32(0), u32(0), u16(1), u16(0), zip.push_back('a');
  const uint32_t directory = static_cast<uint32_t>(zip.size());
  u32(0x02014b50), u16(20), u16(20), u16(0), u16(0), u16(0), u16(0), u32(0), u32(0), u32(0), u16(1), u16(0), u16(0),
      u16(0), u16(0);
  u32(0), u32(offset), zip.push_back('a');
  const uint32_t size = static_cast<uint32_t>(zip.size()) - directory;
  u32(0x06054b50), u16(0), u16(0), u16(1), u16(1), u32(size), u32(offset + directory), u16(0);
  return zip;
}

TEST(TfliteFormat, ZipMetadataMovesWithTheFile) {
  Model model = small_network();
  const auto plain = bytes_of(model);
  auto file = plain;
  const auto zip = zip_at(static_cast<uint32_t>(plain.size()));
  file.insert(file.end(), zip.begin(), zip.end());
  auto back = read(file);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->trailer.bytes().size(), zip.size());
  back->description = std::string(1000, 'x');  // the flatbuffer grows, and the archive moves
  const auto moved = bytes_of(*back);
  const uint64_t start = find_zip(moved);
  ASSERT_LT(start, moved.size());
  const auto expected = zip_at(static_cast<uint32_t>(start));
  EXPECT_EQ(std::vector<uint8_t>(moved.begin() + static_cast<ptrdiff_t>(start), moved.end()), expected);
}

TEST(TfliteFormat, OldFilesSetOnlyTheDeprecatedCode) {
  auto bytes = bytes_of(small_network());
  tflite::ModelT model;
  tflite::GetModel(bytes.data())->UnPackTo(&model);
  for (auto& code : model.operator_codes)
    code->builtin_code = tflite::BuiltinOperator::ADD;  // 0, the default: not stored
  flatbuffers::FlatBufferBuilder builder;
  tflite::FinishModelBuffer(builder, tflite::CreateModel(builder, &model));
  const auto back = read({builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()});
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->main().node(0).op, Op::CONV_2D);
}

TEST(TfliteFormat, TruncatedAtEveryByteIsAnErrorOrAModel) {
  const auto bytes = bytes_of(small_network());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    const auto model = read(cut);
    if (!model) {
      EXPECT_EQ(model.error().message.rfind("test.tflite: ", 0), 0u) << model.error().message;
    }
  }
  EXPECT_FALSE(read({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(bytes.size() / 2)}));
}

TEST(TfliteFormat, EveryWordOverwrittenIsAnErrorOrAModel) {
  const auto bytes = bytes_of(small_network());
  size_t errors = 0;
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    for (uint32_t word : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      auto broken = bytes;
      std::memcpy(broken.data() + at, &word, 4);
      errors += !read(broken);
    }
  }
  EXPECT_GT(errors, 100u);
}

std::string error_of(const Model& model) {
  const auto bytes = write_bytes(model);
  return bytes ? std::string() : bytes.error().message;
}

// Found by fuzz_run: flatbuffers' own verifier lets vectors of 8-byte numbers lie anywhere.
TEST(TfliteFormat, ZeroPointsThatAreNotAlignedAreAnError) {
  Model model = small_network();
  QuantParams& quant = model.graphs[0].value(model.graphs[0].inputs[0]).quant;
  quant.scale = {0.5f, 0.25f, 1};
  quant.zero_point = {1, 0, 0};
  quant.axis = 3;
  std::vector<uint8_t> bytes = bytes_of(model);
  const tflite::QuantizationParameters* table = nullptr;
  for (const tflite::Tensor* tensor : *tflite::GetModel(bytes.data())->subgraphs()->Get(0)->tensors()) {
    if (tensor->quantization() != nullptr && tensor->quantization()->zero_point() != nullptr)
      table = tensor->quantization();
  }
  ASSERT_NE(table, nullptr);
  // The field, moved on by 4 bytes: there lies a vector of one number (the first zero point's low half), 4 bytes askew.
  const auto at = reinterpret_cast<const uint8_t*>(table) - bytes.data() +
                  reinterpret_cast<const flatbuffers::Table*>(table)->GetOptionalFieldOffset(
                      tflite::QuantizationParameters::VT_ZERO_POINT);
  flatbuffers::uoffset_t offset = 0;
  std::memcpy(&offset, &bytes[static_cast<size_t>(at)], sizeof offset);
  offset += 4;
  std::memcpy(&bytes[static_cast<size_t>(at)], &offset, sizeof offset);
  const auto result = read(bytes);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("not aligned"), std::string::npos) << result.error().message;
}

// Found by fuzz_tflite: the type of a sparse tensor's list without the list.
TEST(TfliteFormat, SparseIndicesThatAreMissingAreNone) {
  flatbuffers::FlatBufferBuilder fbb;
  const auto dimension = tflite::CreateDimensionMetadata(fbb, tflite::DimensionType::SPARSE_CSR, 1,
                                                         tflite::SparseIndexVector::Uint16Vector, 0,
                                                         tflite::SparseIndexVector::Uint8Vector, 0);
  const auto sparsity = tflite::CreateSparsityParameters(fbb, 0, 0, fbb.CreateVector(&dimension, 1));
  const auto name = fbb.CreateString("sparse");
  tflite::TensorBuilder tensor(fbb);
  tensor.add_name(name);
  tensor.add_sparsity(sparsity);
  const auto sparse = tensor.Finish();
  const auto tensors = fbb.CreateVector(&sparse, 1);
  const int32_t output = 0;
  const auto outputs = fbb.CreateVector(&output, 1);
  tflite::SubGraphBuilder graph(fbb);
  graph.add_tensors(tensors);
  graph.add_outputs(outputs);
  const auto main = graph.Finish();
  const auto empty = tflite::CreateBuffer(fbb);
  const auto graphs = fbb.CreateVector(&main, 1);
  const auto buffers = fbb.CreateVector(&empty, 1);
  tflite::ModelBuilder model(fbb);
  model.add_version(3);
  model.add_subgraphs(graphs);
  model.add_buffers(buffers);
  tflite::FinishModelBuffer(fbb, model.Finish());
  const auto result = read({fbb.GetBufferPointer(), fbb.GetBufferPointer() + fbb.GetSize()});
  ASSERT_TRUE(result) << result.error().message;
  const auto again = read(bytes_of(*result));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->main().value_count(), 1u);
  ASSERT_NE(again->main().value(0).sparsity, nullptr);
  const auto& kept = *again->main().value(0).sparsity->dim_metadata.at(0);
  EXPECT_EQ(kept.array_segments.type, tflite::SparseIndexVector::NONE);
  EXPECT_EQ(kept.array_indices.type, tflite::SparseIndexVector::NONE);
}

TEST(TfliteFormat, BrokenGraphsNameTheTensor) {
  using ::testing::Test;
  {
    Model model = small_network();
    model.main().value(1).data = ConstData::own(std::vector<float>(3));
    EXPECT_NE(error_of(model).find("'conv/w'"), std::string::npos) << error_of(model);
  }
  {
    Model model = small_network();
    model.main().value(1).is_const = false;
    EXPECT_NE(error_of(model).find("has no data, and nothing before makes it"), std::string::npos) << error_of(model);
  }
  {
    Model model = small_network();
    model.main().value(0).shape = {1 << 30, 1 << 30, 1 << 30, 1 << 30};
    EXPECT_NE(error_of(model).find("impossible shape"), std::string::npos) << error_of(model);
  }
  {
    Model model = small_network();
    model.main().value(0).shape = {1, -3, 4, 3};
    EXPECT_NE(error_of(model).find("impossible shape"), std::string::npos) << error_of(model);
  }
  {
    Model model = small_network();
    model.main().node(1).inputs[0] = 99;
    EXPECT_NE(error_of(model).find("refers to tensor 99"), std::string::npos) << error_of(model);
  }
  {
    Model model = small_network();
    model.main().value(1).quant.scale = {0.5f, 0.5f};
    EXPECT_NE(error_of(model).find("2 scales along dimension 0"), std::string::npos) << error_of(model);
  }
}

TEST(TfliteFormat, SubgraphRecursionIsAnError) {
  Model model = small_network();
  model.graphs.push_back(small_network().graphs[0]);
  for (size_t g = 0; g < 2; ++g) {
    Graph& graph = model.graphs[g];
    tflite::CallOnceOptionsT options;
    options.init_subgraph_index = static_cast<int32_t>(1 - g);
    testing::add_node(graph, Op::CALL_ONCE, {}, {}, options);
  }
  EXPECT_NE(error_of(model).find("calls itself"), std::string::npos) << error_of(model);
}

TEST(TfliteFormat, OtherFilesAreNamed) {
  const auto text = read_file(std::string(FB_SOURCE_DIR) + "/README.md");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("README.md"), std::string::npos);
  EXPECT_NE(text.error().message.find("TFL3"), std::string::npos);
  const auto nothing = read_file("/nowhere/model.tflite");
  ASSERT_FALSE(nothing);
  EXPECT_NE(nothing.error().message.find("/nowhere/model.tflite"), std::string::npos);
}

}  // namespace
}  // namespace fewbits::tflite_format
