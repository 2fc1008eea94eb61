// .npy files: what numpy writes, what it reads, and what nobody should.
#include "calibrate/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>

#include "calibrate/dataset_test_files.h"
#include "calibrate/npy_rows.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string numpy_header(std::string dict) {
  constexpr size_t kDict = 118;  // what numpy 2 pads these to: 128 bytes with the prefix
  dict.resize(kDict - 1, ' ');
  return std::string("\x93NUMPY\x01\x00v\x00", 10) + dict + "\n";
}

// The headers that numpy 2 writes for these arrays.
TEST(NpyTest, WritesNumpysOwnHeader) {
  EXPECT_EQ(*npy_header_for(array_of<int32_t>("", DType::kInt32, {2, 3}, std::vector<int32_t>(6))),
            numpy_header("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }"));
  EXPECT_EQ(*npy_header_for(array_of<uint8_t>("", DType::kUInt8, {3}, {1, 2, 3})),
            numpy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }"));
  EXPECT_EQ(*npy_header_for(array_of<double>("", DType::kFloat64, {}, {1})),
            numpy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }"));
  EXPECT_EQ(*npy_header_for(array_of<uint16_t>("", DType::kFloat16, {1, 2, 3, 4}, std::vector<uint16_t>(24))),
            numpy_header("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2, 3, 4), }"));
  EXPECT_EQ(*npy_header_for(array_of<uint8_t>("", DType::kBool, {2}, {0, 1})),
            numpy_header("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }"));
}

TEST(NpyTest, RefusesToWriteWhatNumpyHasNot) {
  EXPECT_EQ(npy_header_for(array_of<uint16_t>("a", DType::kBFloat16, {1}, {0})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(npy_header_for(array_of<uint8_t>("a", DType::kUInt8, {4}, {0})).error().code, ErrorCode::kInvalidArgument);
}

TEST(NpyTest, ReadsEveryNumericType) {
  const std::pair<const char*, DType> types[] = {
      {"|b1", DType::kBool},      {"|i1", DType::kInt8},       {"<i2", DType::kInt16},   {"<i4", DType::kInt32},
      {"<i8", DType::kInt64},     {"|u1", DType::kUInt8},      {"<u2", DType::kUInt16},  {"<u4", DType::kUInt32},
      {"<u8", DType::kUInt64},    {"<f2", DType::kFloat16},    {"<f4", DType::kFloat32}, {"<f8", DType::kFloat64},
      {"<c8", DType::kComplex64}, {"<c16", DType::kComplex128}};
  for (const auto& [descr, dtype] : types) {
    const Bytes data(dtype_bits(dtype) / 8 * 3, 1);
    const auto array =
        parse_npy(npy_file(fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (3,), }}", descr), data));
    ASSERT_TRUE(array) << descr << message_of(array);
    EXPECT_EQ(array->dtype, dtype);
    EXPECT_THAT(array->shape, ElementsAre(3));
    EXPECT_EQ(array->bytes.size(), data.size());
  }
}

TEST(NpyTest, SwapsBigEndianNumbers) {
  const Bytes data = {0, 1, 2, 3, 0xff, 0xfe};
  const auto array = parse_npy(npy_file("{'descr': '>i2', 'fortran_order': False, 'shape': (3,)}", data), "x");
  ASSERT_TRUE(array);
  EXPECT_EQ(array->name, "x");
  EXPECT_THAT(values_of<int16_t>(*array), ElementsAre(1, 0x203, -2));
}

TEST(NpyTest, SwapsEachHalfOfAComplexNumber) {
  const Bytes data = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};  // 1 and -2
  const auto array = parse_npy(npy_file("{'descr': '>c8', 'fortran_order': False, 'shape': ()}", data));
  ASSERT_TRUE(array) << message_of(array);
  EXPECT_THAT(values_of<std::complex<float>>(*array), ElementsAre(std::complex<float>(1, -2)));
}

TEST(NpyTest, TurnsFortranOrderIntoC) {
  // np.arange(24).reshape(2, 3, 4) in Fortran order: the first index runs fastest.
  Bytes data;
  for (int k = 0; k < 4; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) data.push_back(static_cast<uint8_t>(i * 12 + j * 4 + k));
    }
  }
  const auto array = parse_npy(npy_file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4)}", data));
  ASSERT_TRUE(array);
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(array->as<uint8_t>()[i], i);
}

TEST(NpyTest, ReadsAllVersionsAndSpellings) {
  const Bytes data = {7, 0, 0, 0};
  for (int version : {1, 2, 3}) {
    EXPECT_TRUE(parse_npy(npy_file("{'descr': '<i4', 'fortran_order': False, 'shape': (1L,), }   \n", data, version)));
  }
  EXPECT_TRUE(parse_npy(npy_file("{\"shape\":(1,1),\"descr\":\"<i4\",\"fortran_order\":False}", data)));
}

TEST(NpyTest, RefusesBrokenAndForeignFiles) {
  const Bytes data(4);
  const auto code_of = [&](std::string_view dict, size_t bytes = 4) {
    const auto array = parse_npy(npy_file(dict, std::span(data).first(bytes)));
    return array ? ErrorCode::kInternal : array.error().code;
  };
  const std::string_view whole = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)}";
  EXPECT_EQ(code_of(whole, 3), ErrorCode::kInvalidData);
  EXPECT_EQ(code_of("{'descr': '<i2', 'fortran_order': False, 'shape': (1,)}"), ErrorCode::kInvalidData);  // too much
  for (size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_EQ(code_of(whole.substr(0, cut)), ErrorCode::kInvalidData) << cut;
  EXPECT_EQ(code_of("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}"), ErrorCode::kInvalidData);
  EXPECT_EQ(code_of("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,)}"),
            ErrorCode::kInvalidData);
  EXPECT_EQ(code_of("{'descr': '<i4', 'fortran_order': False, 'shape': (1,)} x"), ErrorCode::kInvalidData);
  EXPECT_EQ(code_of("{'descr': '<i4', 'fortran_order': False, 'shape': (3000000000,)}"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of("{'descr': '<i8', 'fortran_order': False, 'shape': (2000000000, 2000000000, 2000000000)}"),
            ErrorCode::kInvalidData);
  EXPECT_EQ(code_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of("{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}"), ErrorCode::kUnsupported);
  EXPECT_EQ(parse_npy({}).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(parse_npy(npy_file(whole, data, 9)).error().code, ErrorCode::kUnsupported);
}

using NpyFileTest = FolderTest;

TEST_F(NpyFileTest, WhatIsWrittenIsReadAgain) {
  const Array written = array_of<float>("weights", DType::kFloat32, {2, 2}, {1, -2, 3.5f, 0});
  ASSERT_TRUE(write_npy(path("a.npy"), written));
  const auto read = read_npy(path("a.npy"));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_EQ(read->shape, written.shape);
  EXPECT_EQ(read->bytes, written.bytes);
}

TEST_F(NpyFileTest, ErrorsNameTheFile) {
  EXPECT_THAT(message_of(read_npy(write("a.npy", Bytes{1, 2, 3}))), StartsWith(path("a.npy") + ": not a .npy"));
  EXPECT_EQ(read_npy(path("none.npy")).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(message_of(open_npy_rows(path("a.npy"))), StartsWith(path("a.npy")));
}

TEST_F(NpyFileTest, RowsOfAFortranFile) {
  // [[0, 1, 2], [3, 4, 5]] as numpy saves it with order='F', big endian.
  const Bytes data = {0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5};
  write("f.npy", npy_file("{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3), }", data));
  const auto rows = open_npy_rows(path("f.npy"));
  ASSERT_TRUE(rows) << message_of(rows);
  EXPECT_EQ((*rows)->rows(), 2u);
  const auto row = (*rows)->row(1);
  ASSERT_TRUE(row);
  EXPECT_THAT(row->shape, ElementsAre(3));
  EXPECT_THAT(values_of<uint16_t>(*row), ElementsAre(3, 4, 5));
  EXPECT_FALSE((*rows)->row(2));
}

TEST_F(NpyFileTest, ScalarsAndTruncatedFilesHaveNoRows) {
  write("s.npy", npy_file("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", Bytes{1}));
  EXPECT_THAT(message_of(open_npy_rows(path("s.npy"))), HasSubstr("scalar"));
  write("t.npy", npy_file("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2), }", Bytes{1, 2, 3}));
  EXPECT_THAT(message_of(open_npy_rows(path("t.npy"))), HasSubstr("takes 8 bytes, but the file holds 3"));
}

}  // namespace
}  // namespace fewbits::calibrate
