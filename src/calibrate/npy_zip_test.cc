// .npz archives: numpy's, ours, and broken ones.
#include "calibrate/npy_zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "calibrate/dataset_test_files.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// np.savez_compressed(images=np.arange(12, dtype=np.uint8).reshape(3, 4), labels=np.array([7, 8, 9]),
//                     f=np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3))) of numpy 2.
constexpr uint8_t kNumpyArchive[] = {
    80,  75,  3,   4,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   56,  117, 91,  90,  255, 255, 255, 255, 255,
    255, 255, 255, 10,  0,   20,  0,   105, 109, 97,  103, 101, 115, 46,  110, 112, 121, 1,   0,   16,  0,   140, 0,
    0,   0,   0,   0,   0,   0,   82,  0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,  16,  201, 200, 80,
    198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 94,  83,  106, 168, 174, 163, 160, 158, 150, 95,  84,
    82,  148, 152, 23,  159, 95,  148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,  164, 2,
    249, 26,  198, 58,  10,  38,  154, 58,  10,  181, 10,  100, 3,   46,  6,   70,  38,  102, 22,  86,  54,  118, 14,
    78,  46,  110, 0,   80,  75,  3,   4,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   8,   101, 27,  91,  255,
    255, 255, 255, 255, 255, 255, 255, 10,  0,   20,  0,   108, 97,  98,  101, 108, 115, 46,  110, 112, 121, 1,   0,
    16,  0,   152, 0,   0,   0,   0,   0,   0,   0,   77,  0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,
    16,  201, 200, 80,  198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 110, 147, 105, 161, 174, 163, 160,
    158, 150, 95,  84,  82,  148, 152, 23,  159, 95,  148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,  103,
    36,  22,  164, 2,   249, 26,  198, 58,  154, 58,  10,  181, 10,  20,  0,   46,  118, 6,   8,   224, 128, 210, 156,
    80,  26,  0,   80,  75,  3,   4,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   225, 30,  250, 168, 255, 255,
    255, 255, 255, 255, 255, 255, 5,   0,   20,  0,   102, 46,  110, 112, 121, 1,   0,   16,  0,   140, 0,   0,   0,
    0,   0,   0,   0,   81,  0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,  16,  201, 200, 80,  198, 80,
    173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 110, 151, 105, 164, 174, 163, 160, 158, 150, 95,  84,  82,  148,
    152, 23,  159, 95,  148, 146, 10,  18,  15,  41,  42,  77,  5,   10,  23,  103, 36,  22,  164, 2,   185, 26,  70,
    58,  10,  198, 154, 58,  10,  181, 10,  228, 3,   46,  6,   6,   6,   102, 6,   70,  6,   22,  6,   38,  6,   86,
    0,   80,  75,  1,   2,   45,  3,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   56,  117, 91,  90,  82,  0,
    0,   0,   140, 0,   0,   0,   10,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,   0,   0,   0,
    0,   105, 109, 97,  103, 101, 115, 46,  110, 112, 121, 80,  75,  1,   2,   45,  3,   45,  0,   0,   0,   8,   0,
    0,   0,   33,  0,   8,   101, 27,  91,  77,  0,   0,   0,   152, 0,   0,   0,   10,  0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   128, 1,   142, 0,   0,   0,   108, 97,  98,  101, 108, 115, 46,  110, 112, 121, 80,  75,
    1,   2,   45,  3,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   225, 30,  250, 168, 81,  0,   0,   0,   140,
    0,   0,   0,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,   23,  1,   0,   0,   102, 46,
    110, 112, 121, 80,  75,  5,   6,   0,   0,   0,   0,   3,   0,   3,   0,   163, 0,   0,   0,   159, 1,   0,   0,
    0,   0};

using NpzTest = FolderTest;

TEST(NpzBytesTest, ReadsNumpysArchive) {
  const auto arrays = parse_npz(kNumpyArchive);
  ASSERT_TRUE(arrays) << message_of(arrays);
  ASSERT_THAT(*arrays, SizeIs(3));
  EXPECT_EQ((*arrays)[0].name, "images");
  EXPECT_THAT((*arrays)[0].shape, ElementsAre(3, 4));
  EXPECT_THAT(values_of<uint8_t>((*arrays)[0]), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(values_of<int64_t>((*arrays)[1]), ElementsAre(7, 8, 9));
  EXPECT_THAT(values_of<int16_t>((*arrays)[2]), ElementsAre(0, 1, 2, 3, 4, 5));
}

// Names, times and flags may change unseen; numbers may not.
TEST(NpzBytesTest, BrokenBytesNeverBecomeNumbers) {
  Bytes bytes(std::begin(kNumpyArchive), std::end(kNumpyArchive));
  const auto whole = parse_npz(bytes);
  ASSERT_TRUE(whole);
  for (size_t cut = 1; cut < bytes.size(); ++cut) EXPECT_FALSE(parse_npz(std::span(bytes).first(cut))) << cut;
  size_t errors = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 0x55;
    const auto arrays = parse_npz(bytes);
    if (!arrays) ++errors;
    for (const Array& array : arrays ? *arrays : std::vector<Array>()) {
      const auto same = [&](const Array& other) { return other.bytes == array.bytes; };
      EXPECT_TRUE(std::any_of(whole->begin(), whole->end(), same)) << i;
    }
    bytes[i] ^= 0x55;
  }
  EXPECT_GT(errors, bytes.size() / 3);
}

TEST(NpzBytesTest, ALimitOfMemoryHolds) {
  const auto arrays = parse_npz(kNumpyArchive, 12);
  ASSERT_FALSE(arrays);
  EXPECT_EQ(arrays.error().code, ErrorCode::kResource);
  EXPECT_THAT(message_of(arrays), HasSubstr("array 'labels'"));
}

// 1000 rows of three numbers: 3 * row, 3 * row + 1, 3 * row + 2.
Array counting() {
  std::vector<int32_t> values(3000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i);
  return array_of<int32_t>("counting", DType::kInt32, {1000, 3}, values);
}

TEST_F(NpzTest, RowsComeInAnyOrderFromMemoryAndFromStreams) {
  for (const NpzCompression compression : {NpzCompression::kStored, NpzCompression::kDeflated}) {
    ASSERT_TRUE(write_npz(path("a.npz"), {{counting()}}, compression));
    for (const size_t memory : {size_t{0}, size_t{1} << 20}) {
      const auto reader = NpzReader::open(path("a.npz"));
      ASSERT_TRUE(reader) << message_of(reader);
      const auto rows = NpzReader::rows(*reader, "counting", memory);
      ASSERT_TRUE(rows) << message_of(rows);
      for (const size_t row : {0, 1, 999, 500, 501, 7, 7}) {
        const auto array = (*rows)->row(row);
        ASSERT_TRUE(array) << message_of(array);
        const int32_t first = static_cast<int32_t>(3 * row);
        EXPECT_THAT(values_of<int32_t>(*array), ElementsAre(first, first + 1, first + 2));
      }
      EXPECT_FALSE((*rows)->row(1000));
    }
  }
}

TEST_F(NpzTest, RowsKeepTheArchiveOpen) {
  ASSERT_TRUE(write_npz(path("a.npz"), {{counting()}}));
  auto reader = NpzReader::open(path("a.npz"));
  ASSERT_TRUE(reader);
  auto rows = NpzReader::rows(*reader, "counting", 0);
  reader->reset();
  EXPECT_TRUE((*rows)->row(3));
}

TEST_F(NpzTest, LargeFortranArraysAreRefusedWithAdvice) {
  write("a.npz", kNumpyArchive);
  const auto reader = NpzReader::open(path("a.npz"));
  ASSERT_TRUE(reader);
  EXPECT_THAT(message_of(NpzReader::rows(*reader, "f", 0)), HasSubstr("save it in C order"));
  const auto rows = NpzReader::rows(*reader, "f", 1000);
  ASSERT_TRUE(rows);
  EXPECT_THAT(values_of<int16_t>(*(*rows)->row(1)), ElementsAre(3, 4, 5));
}

TEST_F(NpzTest, TheSameArraysGiveTheSameBytes) {
  const Array arrays[] = {counting(), array_of<float>("scale", DType::kFloat32, {}, {0.5f}),
                          array_of<float>("none", DType::kFloat32, {0, 3}, {})};
  ASSERT_TRUE(write_npz(path("a.npz"), arrays));
  ASSERT_TRUE(write_npz(path("b.npz"), arrays));
  const auto a = MappedFile::open(path("a.npz")), b = MappedFile::open(path("b.npz"));
  EXPECT_TRUE(std::equal((*a)->bytes().begin(), (*a)->bytes().end(), (*b)->bytes().begin(), (*b)->bytes().end()));
  const auto read = parse_npz((*a)->bytes());
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ((*read)[1].bytes, arrays[1].bytes);
  EXPECT_THAT((*read)[2].shape, ElementsAre(0, 3));
}

TEST_F(NpzTest, ErrorsNameFileAndMember) {
  ASSERT_TRUE(write_npz(path("a.npz"), {{counting()}}));
  const auto reader = NpzReader::open(path("a.npz"));
  EXPECT_THAT(message_of((*reader)->read("other")), HasSubstr("a.npz has no array 'other'"));
  EXPECT_EQ(NpzReader::open(path("none.npz")).error().code, ErrorCode::kNotFound);
  write("b.npz", Bytes{1, 2, 3});
  EXPECT_THAT(message_of(NpzReader::open(path("b.npz"))), HasSubstr(path("b.npz")));
  EXPECT_THAT(message_of(write_npz(path("c.npz"), {{counting(), counting()}})), HasSubstr("repeated"));
  EXPECT_FALSE(write_npz(path("c.npz"), {}));
  EXPECT_FALSE(write_npz(path("no/such/folder.npz"), {{counting()}}));
}

}  // namespace
}  // namespace fewbits::calibrate
