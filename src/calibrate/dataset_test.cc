// Every kind of DATA, from files made here.
#include "calibrate/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "calibrate/dataset_test_files.h"
#include "calibrate/npy_zip.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

const InputSpec kPicture{"image", "", DType::kUInt8, {1, 2, 2, 3}};
const InputSpec kPair{"x", "", DType::kFloat32, {1, 2}};

class DatasetTest : public FolderTest {
 protected:
  // Opens what stands under `name`; never null, so that a test may go on.
  std::unique_ptr<Dataset> open(const std::string& name = {}, const DatasetOptions& options = {}) const {
    auto dataset = open_dataset(path(name), options);
    EXPECT_TRUE(dataset) << message_of(dataset);
    return dataset ? *std::move(dataset) : nullptr;
  }
  std::string open_error(const std::string& name = {}) const { return message_of(open_dataset(path(name))); }

  // A picture of one colour.
  void write_png(const std::string& name, uint8_t red, uint8_t green, uint8_t blue, int width = 2,
                 int height = 2) const {
    Bytes pixels;
    for (int i = 0; i < width * height; ++i) pixels.insert(pixels.end(), {red, green, blue});
    write(name, encode_png(width, height, pixels));
  }
  void write_npz_file(const std::string& name, const std::vector<Array>& arrays) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    ASSERT_TRUE(write_npz(path(name), arrays));
  }
};

Sample sample_of(Dataset& dataset, size_t index, const std::vector<InputSpec>& inputs) {
  auto sample = dataset.sample(index, inputs);
  EXPECT_TRUE(sample) << message_of(sample);
  return sample ? *std::move(sample) : Sample{.inputs = std::vector<Array>(inputs.size())};
}

std::vector<std::optional<int32_t>> labels_of(Dataset& dataset, const std::vector<InputSpec>& inputs) {
  std::vector<std::optional<int32_t>> labels;
  for (size_t i = 0; i < dataset.size(); ++i) labels.push_back(sample_of(dataset, i, inputs).label);
  return labels;
}

TEST_F(DatasetTest, ClassFoldersAreLabelsInTheOrderOfNames) {
  write_png("b_dog/z.png", 3, 3, 3);
  write_png("a_cat/2.png", 2, 2, 2);
  write_png("a_cat/10.PNG", 1, 1, 1);
  write_png("b_dog/more/a.png", 4, 4, 4);
  write("b_dog/notes.txt", Bytes{1});
  write("b_dog/.thumb/a.png", Bytes{1});
  const auto data = open();
  ASSERT_EQ(data->size(), 4u);
  EXPECT_TRUE(data->labeled());
  EXPECT_THAT(data->class_names(), ElementsAre("a_cat", "b_dog"));
  EXPECT_THAT(labels_of(*data, {kPicture}), ElementsAre(0, 0, 1, 1));
  const Sample first = sample_of(*data, 0, {kPicture});
  EXPECT_EQ(first.source, path("a_cat/10.PNG"));
  EXPECT_EQ(first.picture, first.source);
  EXPECT_EQ(first.inputs[0].name, "image");
  EXPECT_THAT(first.inputs[0].shape, ElementsAre(1, 2, 2, 3));
  EXPECT_THAT(values_of<uint8_t>(first.inputs[0]), testing::Each(1));
  EXPECT_EQ(sample_of(*data, 2, {kPicture}).source, path("b_dog/more/a.png"));
}

TEST_F(DatasetTest, ClassFoldersMayBeNumbers) {
  for (const char* name : {"10/a.png", "9/a.png", "007/a.png"}) write_png(name, 1, 1, 1);
  EXPECT_THAT(labels_of(*open(), {kPicture}), ElementsAre(7, 10, 9));
  EXPECT_THAT(open()->class_names(), IsEmpty());
}

TEST_F(DatasetTest, FlatPicturesTakeLabelsFromTheirNames) {
  write_png("0007_n01.png", 1, 2, 3);
  write("12_n02.jpg", encode_jpeg(2, 2, Bytes(12, 200)));
  const auto data = open(".");
  EXPECT_THAT(labels_of(*data, {kPicture}), ElementsAre(7, 12));
  EXPECT_THAT(values_of<uint8_t>(sample_of(*data, 0, {kPicture}).inputs[0]),
              ElementsAre(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3));
  write_png("plain.png", 1, 2, 3);
  EXPECT_FALSE(open()->labeled());
}

TEST_F(DatasetTest, NumbersWithoutUnderscoreAreNoLabels) {
  write_png("000000000139.png", 1, 2, 3);
  EXPECT_FALSE(open()->labeled());
}

TEST_F(DatasetTest, PicturesAreFittedNormalisedAndQuantized) {
  write_png("a.png", 255, 0, 51, 8, 4);
  const DatasetOptions options{
      .preprocess = {
          .channel_order = ChannelOrder::kBgr, .layout = ChannelLayout::kNchw, .scale = 1 / 255.f, .mean = {0, 0, 1}}};
  const auto data = open("", options);
  const Sample planar = sample_of(*data, 0, {{"x", "", DType::kFloat32, {-1, 3, 1, 2}}});
  EXPECT_THAT(planar.inputs[0].shape, ElementsAre(1, 3, 1, 2));
  EXPECT_THAT(values_of<float>(planar.inputs[0]),
              testing::Pointwise(testing::FloatNear(1e-6f), {0.2f, 0.2f, 0.f, 0.f, 0.f, 0.f}));
  const Sample dynamic = sample_of(*open(), 0, {{"x", "", DType::kInt8, {1, -1, -1, 3}, 1, -128}});
  EXPECT_THAT(dynamic.inputs[0].shape, ElementsAre(1, 4, 8, 3));
  EXPECT_EQ(dynamic.inputs[0].as<int8_t>()[0], 127);
  const Sample grey = sample_of(*open(), 0, {{"x", "", DType::kUInt8, {1, 2, 2, 1}}});
  EXPECT_THAT(values_of<uint8_t>(grey.inputs[0]), testing::Each(82));  // 0.299 * 255 + 0.114 * 51 = 82.06
}

TEST_F(DatasetTest, PicturesForOtherInputsAreErrors) {
  write_png("a.png", 1, 2, 3);
  const auto data = open();
  const auto message = [&](std::vector<InputSpec> inputs) { return message_of(data->sample(0, inputs)); };
  EXPECT_THAT(message({{"x", "", DType::kFloat32, {1, 3, 2, 2}}}),
              HasSubstr("input 'x' of shape [1, 3, 2, 2] does not take pictures as nhwc"));
  EXPECT_THAT(message({{"x", "", DType::kFloat32, {1, 12}}}), HasSubstr("does not take pictures"));
  EXPECT_THAT(message({kPicture, kPicture}), HasSubstr("the model has 2"));
  EXPECT_THAT(message({}), HasSubstr("no inputs"));
  EXPECT_FALSE(data->sample(1, std::vector{kPicture}));
}

// basic-pitch's sounds were taken for pictures of 43,844 columns.
TEST_F(DatasetTest, AnInputOfSoundsTakesNoPictures) {
  write_png("a.png", 1, 2, 3);
  const DatasetOptions planar{.preprocess = {.layout = ChannelLayout::kNchw}};
  const auto shape_of = [&](Shape shape, const DatasetOptions& options = {}) {
    const auto sample =
        open("", options)->sample(0, std::vector{InputSpec{"x", "", DType::kFloat32, std::move(shape)}});
    return sample ? shape_text(sample->inputs[0].shape) : sample.error().message;
  };
  for (const Shape& sounds : {Shape{-1, 43844, 1}, Shape{1, 43844, 1}, Shape{-1, 98, 3}}) {
    EXPECT_THAT(shape_of(sounds), HasSubstr("its first size is the batch"));
  }
  EXPECT_THAT(shape_of({-1, 43844, 1}, planar), HasSubstr("its first size is the batch"));
  // A picture without a batch: of one size, of any, of grey planes.
  EXPECT_EQ(shape_of({6, 4, 3}), "[6, 4, 3]");
  EXPECT_EQ(shape_of({-1, -1, 3}), "[2, 2, 3]");
  EXPECT_EQ(shape_of({1, 6, 4}, planar), "[1, 6, 4]");
}

TEST_F(DatasetTest, ABrokenPictureIsNamed) {
  Bytes jpeg = encode_jpeg(40, 40, pattern(40, 40, 3));
  jpeg.resize(jpeg.size() / 2);
  write("broken.jpg", jpeg);
  EXPECT_THAT(message_of(open()->sample(0, std::vector{kPicture})),
              HasSubstr(path("broken.jpg") + ": broken or truncated JPEG"));
}

TEST_F(DatasetTest, OnePictureIsADataset) {
  write_png("5_a.png", 1, 2, 3);
  const auto data = open("5_a.png");
  EXPECT_EQ(data->size(), 1u);
  EXPECT_THAT(sample_of(*data, 0, {kPicture}).label, Optional(5));
}

TEST_F(DatasetTest, NothingAndTooMuchAreErrors) {
  EXPECT_EQ(open_dataset(path("none")).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(open_error(), HasSubstr("holds no samples"));
  write("a.csv", Bytes{1});
  EXPECT_THAT(open_error(), HasSubstr("holds no samples"));
  EXPECT_THAT(open_error("a.csv"), HasSubstr("no kind of data"));
  write_png("a.png", 1, 1, 1);
  write("b.bin", Bytes{1});
  EXPECT_THAT(open_error(), HasSubstr("holds both pictures and raw files"));
  std::filesystem::remove(path("b.bin"));
  write_png("sub/a.png", 1, 1, 1);
  EXPECT_THAT(open_error(), HasSubstr("in itself (a.png) and in subfolders (sub/a.png)"));
  EXPECT_FALSE(open_dataset(path(), {.preprocess = {.std = {0}}}));
}

TEST_F(DatasetTest, AnNpzFeedsInputsByName) {
  write_npz_file("d.npz", {array_of<float>("b", DType::kFloat32, {3, 2}, {10, 11, 12, 13, 14, 15}),
                           array_of<float>("a", DType::kFloat32, {3, 1}, {1, 2, 3}),
                           array_of<int64_t>("labels", DType::kInt64, {3}, {5, 6, 7}),
                           array_of<float>("extra", DType::kFloat32, {9}, std::vector<float>(9))});
  const auto data = open("d.npz");
  ASSERT_EQ(data->size(), 3u);
  EXPECT_TRUE(data->labeled());
  const std::vector<InputSpec> inputs = {{"serving_default_a:0", "", DType::kFloat32, {1, 1}},
                                         {"model/in", "b", DType::kFloat32, {1, 2}}};
  const Sample sample = sample_of(*data, 1, inputs);
  EXPECT_THAT(values_of<float>(sample.inputs[0]), ElementsAre(2));
  EXPECT_THAT(values_of<float>(sample.inputs[1]), ElementsAre(12, 13));
  EXPECT_THAT(sample.label, Optional(6));
  EXPECT_EQ(sample.source, path("d.npz") + "[1]");
  EXPECT_THAT(message_of(data->sample(0, std::vector<InputSpec>{{"c", "", DType::kFloat32, {1, 2}}, inputs[0]})),
              HasSubstr("has no array for input 'c'; it holds b, a, labels, extra"));
  EXPECT_THAT(message_of(data->sample(0, std::vector<InputSpec>{{"extra", "", DType::kFloat32, {1}}})),
              HasSubstr("does not hold 3 samples"));
}

TEST_F(DatasetTest, AModelOfOneInputTakesTheOnlyOrTheUsualArray) {
  write_npz_file("only.npz", {array_of<float>("whatever", DType::kFloat32, {1, 2}, {1, 2}),
                              array_of<int32_t>("y", DType::kInt32, {1, 1}, {3})});
  const Sample only = sample_of(*open("only.npz"), 0, {{"in", "", DType::kFloat32, {1, 2}}});
  EXPECT_THAT(values_of<float>(only.inputs[0]), ElementsAre(1, 2));
  EXPECT_THAT(only.label, Optional(3));
  write_npz_file("usual.npz", {array_of<float>("meta", DType::kFloat32, {1, 2}, {8, 9}),
                               array_of<float>("images", DType::kFloat32, {1, 2}, {1, 2})});
  EXPECT_THAT(values_of<float>(sample_of(*open("usual.npz"), 0, {{"in", "", DType::kFloat32, {1, 2}}}).inputs[0]),
              ElementsAre(1, 2));
}

TEST_F(DatasetTest, AnArrayThatIsAnInputIsNoLabel) {
  write_npz_file("d.npz", {array_of<float>("x", DType::kFloat32, {1, 2}, {1, 2}),
                           array_of<float>("y", DType::kFloat32, {1, 1}, {3})});
  const Sample sample = sample_of(*open("d.npz"), 0, {kPair, {"y", "", DType::kFloat32, {1, 1}}});
  EXPECT_EQ(sample.label, std::nullopt);
  EXPECT_THAT(values_of<float>(sample.inputs[1]), ElementsAre(3));
}

// As the keyword data of MLPerf Tiny is kept: int8 features, scalars of their coding, labels; and labels as floats.
TEST_F(DatasetTest, ScaleAndZeroPointOfAnNpzApply) {
  write_npz_file("kws.npz", {array_of<int8_t>("features_int8", DType::kInt8, {2, 2, 1}, {83, 85, -128, 127}),
                             array_of<double>("labels", DType::kFloat64, {2}, {4, 11}),
                             array_of<float>("scale", DType::kFloat32, {}, {0.5f}),
                             array_of<int64_t>("zero_point", DType::kInt64, {}, {83})});
  const auto data = open("kws.npz");
  EXPECT_THAT(labels_of(*data, {kPair}), ElementsAre(4, 11));
  EXPECT_THAT(values_of<float>(sample_of(*data, 0, {kPair}).inputs[0]), ElementsAre(0, 1));
  const Sample codes = sample_of(*data, 1, {{"in", "", DType::kInt8, {1, 2, 1, 1}, 0.5f, 83}});
  EXPECT_THAT(values_of<int8_t>(codes.inputs[0]), ElementsAre(-128, 127));
}

TEST_F(DatasetTest, ImpossibleCodingsAreErrors) {
  write_npz_file("d.npz", {array_of<int8_t>("q", DType::kInt8, {1, 2}, {1, 2}),
                           array_of<float>("q_scale", DType::kFloat32, {1}, {-1})});
  EXPECT_THAT(message_of(open("d.npz")->sample(0, std::vector{kPair})),
              HasSubstr("'q_scale' is -1, but a scale must be above 0"));
}

TEST_F(DatasetTest, LabelsThatAreNoClassesAreErrors) {
  write_npz_file("d.npz", {array_of<float>("x", DType::kFloat32, {2, 2}, {1, 2, 3, 4}),
                           array_of<float>("labels", DType::kFloat32, {2}, {1, 0.5f})});
  EXPECT_THAT(open_error("d.npz"), HasSubstr("d.npz: label 1 of 'labels' is 0.5"));
}

TEST_F(DatasetTest, ArraysOfDifferentLengthAreErrors) {
  write_npz_file("d.npz", {array_of<float>("x", DType::kFloat32, {2, 1}, {1, 2}),
                           array_of<float>("z", DType::kFloat32, {1, 2}, {1, 2})});
  EXPECT_THAT(open_error("d.npz"), HasSubstr("arrays 'x' [2, 1] and 'z' [1, 2] differ in the number of samples"));
}

TEST_F(DatasetTest, EmptyArraysAreErrors) {
  write_npz_file("d.npz", {array_of<float>("x", DType::kFloat32, {0, 2}, {})});
  EXPECT_THAT(open_error("d.npz"), HasSubstr("holds no samples"));
  ASSERT_TRUE(write_npy(path("d.npy"), array_of<float>("x", DType::kFloat32, {0, 2}, {})));
  EXPECT_THAT(open_error("d.npy"), HasSubstr("holds no samples"));
}

TEST_F(DatasetTest, StreamedAndHeldArraysGiveTheSame) {
  std::vector<float> values(2000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  write_npz_file("d.npz", {array_of<float>("x", DType::kFloat32, {1000, 2}, values)});
  for (const size_t limit : {size_t{0}, size_t{1} << 20}) {
    const auto data = open("d.npz", {.memory_limit = limit});
    for (const size_t i : {0, 999, 3, 4}) {
      EXPECT_THAT(values_of<float>(sample_of(*data, i, {kPair}).inputs[0]),
                  ElementsAre(2.f * static_cast<float>(i), 2.f * static_cast<float>(i) + 1));
    }
  }
}

TEST_F(DatasetTest, AnNpyFeedsOneInput) {
  ASSERT_TRUE(write_npy(path("d.npy"), array_of<double>("", DType::kFloat64, {2, 2}, {1, 2, 3, 4})));
  const auto data = open("d.npy");
  EXPECT_EQ(data->size(), 2u);
  const Sample sample = sample_of(*data, 1, {kPair});
  EXPECT_THAT(values_of<float>(sample.inputs[0]), ElementsAre(3, 4));
  EXPECT_EQ(sample.source, path("d.npy") + "[1]");
  EXPECT_THAT(message_of(data->sample(0, std::vector{kPair, kPair})), HasSubstr("the model has 2 inputs"));
}

TEST_F(DatasetTest, AShapeErrorNamesSampleTensorAndShapes) {
  ASSERT_TRUE(write_npy(path("d.npy"), array_of<float>("", DType::kFloat32, {2, 3}, std::vector<float>(6))));
  EXPECT_EQ(message_of(open("d.npy")->sample(1, std::vector{kPair})),
            path("d.npy") + "[1]: input 'x' has shape [1, 2], but the sample has [3]");
}

TEST_F(DatasetTest, NanStopsOrSkips) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(write_npy(path("d.npy"), array_of<float>("", DType::kFloat32, {2, 2}, {1, 2, 3, nan})));
  const std::string what = path("d.npy") + "[1]: input 'x': element 1 ([1]) is nan";
  EXPECT_EQ(message_of(open("d.npy")->sample(1, std::vector{kPair})), what);
  const auto data = open("d.npy", {.non_finite = NonFinite::kSkip});
  EXPECT_EQ(sample_of(*data, 0, {kPair}).skipped, "");
  const Sample skipped = sample_of(*data, 1, {kPair});
  EXPECT_EQ(skipped.skipped, what);
  EXPECT_THAT(skipped.inputs, IsEmpty());
}

TEST_F(DatasetTest, AFolderOfNpzIsOneSampleAFile) {
  write_npz_file("1.npz",
                 {array_of<float>("x", DType::kFloat32, {2}, {1, 2}), array_of<float>("z", DType::kFloat32, {}, {9}),
                  array_of<int32_t>("label", DType::kInt32, {}, {4})});
  write_npz_file("2.npz", {array_of<float>("x", DType::kFloat32, {1, 2}, {3, 4}),
                           array_of<float>("z", DType::kFloat32, {1}, {8})});
  const auto data = open();
  ASSERT_EQ(data->size(), 2u);
  const std::vector<InputSpec> inputs = {kPair, {"z", "", DType::kFloat32, {1}}};
  const Sample first = sample_of(*data, 0, inputs), second = sample_of(*data, 1, inputs);
  EXPECT_THAT(values_of<float>(first.inputs[0]), ElementsAre(1, 2));
  EXPECT_THAT(first.label, Optional(4));
  EXPECT_THAT(values_of<float>(second.inputs[1]), ElementsAre(8));
  EXPECT_EQ(second.label, std::nullopt);
}

TEST_F(DatasetTest, AFolderOfNpyIsOneSampleAFile) {
  std::filesystem::create_directories(path("yes"));
  ASSERT_TRUE(write_npy(path("yes/a.npy"), array_of<float>("", DType::kFloat32, {2}, {1, 2})));
  EXPECT_THAT(values_of<float>(sample_of(*open(), 0, {kPair}).inputs[0]), ElementsAre(1, 2));
  EXPECT_THAT(open()->class_names(), ElementsAre("yes"));
}

TEST_F(DatasetTest, RawFilesHoldTheInputsBytes) {
  write("3_a.bin", Bytes{1, 255});
  write("4_b.raw", Bytes{0, 128});
  const auto data = open("", {.preprocess = {.mean = {1}}});  // does not concern raw bytes
  for (const float scale : {0.f, 0.25f}) {
    const Sample sample = sample_of(*data, 0, {{"x", "", DType::kUInt8, {-1, 2}, scale, 3}});
    EXPECT_THAT(values_of<uint8_t>(sample.inputs[0]), ElementsAre(1, 255));
    EXPECT_THAT(sample.inputs[0].shape, ElementsAre(1, 2));
    EXPECT_THAT(sample.label, Optional(3));
  }
  EXPECT_EQ(message_of(data->sample(1, std::vector{kPair})),
            path("4_b.raw") + ": 2 bytes, but input 'x', float32 of shape [1, 2], takes 8");
}

TEST_F(DatasetTest, RawFoldersFeedOneInputEach) {
  for (const char* name : {"in_a_0/1.bin", "in_a_0/2.bin"}) write(name, Bytes{1});
  for (const char* name : {"mask/1.bin", "mask/2.bin"}) write(name, Bytes{2, 3});
  const std::vector<InputSpec> inputs = {{"model/mask", "mask", DType::kUInt8, {1, 2}},
                                         {"in/a:0", "", DType::kInt8, {1, 1}}};
  const auto data = open();
  ASSERT_EQ(data->size(), 2u);
  const Sample sample = sample_of(*data, 1, inputs);
  EXPECT_THAT(values_of<uint8_t>(sample.inputs[0]), ElementsAre(2, 3));
  EXPECT_THAT(values_of<int8_t>(sample.inputs[1]), ElementsAre(1));
  EXPECT_THAT(message_of(data->sample(0, std::vector{kPair})),
              HasSubstr("no subfolder for input 'x'; there is in_a_0, mask"));
  std::filesystem::remove(path("mask/1.bin"));
  EXPECT_THAT(open_error(),
              HasSubstr("subfolders in_a_0 and mask must hold the same file names, but 1.bin is in one only"));
}

TEST_F(DatasetTest, SoundsAreCutPaddedAndMono) {
  std::filesystem::create_directories(path("no"));
  std::filesystem::create_directories(path("yes"));
  write_wav(path("no/a.wav"), std::vector<float>{0.5f, 0.25f, 1}, 1, 16000, SF_FORMAT_FLOAT);
  write_wav(path("yes/a.wav"), std::vector<float>{1, 0}, 2, 16000, SF_FORMAT_FLOAT);
  const auto data = open();
  const InputSpec two{"x", "", DType::kFloat32, {1, 2, 1}};
  EXPECT_THAT(labels_of(*data, {two}), ElementsAre(0, 1));
  EXPECT_THAT(values_of<float>(sample_of(*data, 0, {two}).inputs[0]), ElementsAre(0.5f, 0.25f));
  EXPECT_THAT(values_of<float>(sample_of(*data, 1, {two}).inputs[0]), ElementsAre(0.5f, 0));
  const Sample whole = sample_of(*data, 0, {{"x", "", DType::kFloat32, {-1, -1}}});
  EXPECT_THAT(whole.inputs[0].shape, ElementsAre(1, 3));
  const Sample codes = sample_of(*data, 0, {{"x", "", DType::kInt8, {4}, 1 / 128.f, 0}});
  EXPECT_THAT(values_of<int8_t>(codes.inputs[0]), ElementsAre(64, 32, 127, 0));
  EXPECT_THAT(message_of(data->sample(0, std::vector{kPicture})), HasSubstr("does not take a sound"));
  const auto rated = open("", {.audio = {.sample_rate = 8000}});
  EXPECT_THAT(message_of(rated->sample(0, std::vector{two})), HasSubstr("16000 Hz, not 8000 Hz"));
}

TEST(SelectTest, TakesTheFirstOrAll) {
  EXPECT_THAT(select_samples(5, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(select_samples(3, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(select_samples(3, 9, 1), ElementsAre(0, 1, 2));
}

// A shuffle written out in Python: SplitMix64, an index below n - i by rejection and modulo, swap; then sorted.
TEST(SelectTest, DrawsTheSameOnEveryMachine) {
  EXPECT_THAT(select_samples(10, 4, 0), ElementsAre(1, 5, 7, 9));
  EXPECT_THAT(select_samples(1000, 5, 42), ElementsAre(26, 182, 338, 413, 552));
}

TEST(SelectTest, MoreSamplesKeepTheFewer) {
  std::vector<size_t> fewer = select_samples(500, 20, 7);
  for (const size_t count : {21, 100, 499}) {
    const std::vector<size_t> more = select_samples(500, count, 7);
    EXPECT_EQ(std::set<size_t>(more.begin(), more.end()).size(), count);
    EXPECT_TRUE(std::is_sorted(more.begin(), more.end()));
    EXPECT_LT(more.back(), 500u);
    EXPECT_TRUE(std::includes(more.begin(), more.end(), fewer.begin(), fewer.end()));
    fewer = more;
  }
}

}  // namespace
}  // namespace fewbits::calibrate
