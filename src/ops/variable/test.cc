// Tests of the resource family: variables, tables, and string tensors of hostile bytes.
#include <gtest/gtest.h>

#include "ops/dynamic_test_args.h"
#include "ops/one_op.h"
#include "ops/variable/resource.h"

namespace fewbits {
namespace {

using test::DynamicTestArgs;
using test::OneOp;
using test::tensor;
using test::text_tensor;

OwnedTensor handle(std::string_view key) { return text_tensor(DType::kResource, {}, key); }
OwnedTensor strings(const std::vector<std::string_view>& list) {
  return {DType::kString, {static_cast<int32_t>(list.size())}, *ops::write_strings(list)};
}
OwnedTensor numbers(const std::vector<int64_t>& list) {
  return tensor(DType::kInt64, {static_cast<int32_t>(list.size())}, list);
}

Status run(OneOp& op, DynamicTestArgs& args) {
  FB_TRY(op.prepare());
  return op.prepared().dynamic_kernel->run(args);
}

TEST(Variable, HandlesCarryContainerAndName) {
  OneOp op(Op::VAR_HANDLE);
  tflite::VarHandleOptionsT options;
  options.container = "box";
  options.shared_name = "step";
  op.options(options).output(DType::kResource);
  ResourceStore store;
  DynamicTestArgs args({}, {DType::kResource}, store);
  ASSERT_TRUE(run(op, args));
  EXPECT_EQ(ops::resource_key(args.output().view()), "box/step");
}

TEST(Variable, ReadsWhatWasAssignedLast) {
  ResourceStore store;
  OneOp read(Op::READ_VARIABLE);
  read.input(DType::kResource, {}).output(DType::kFloat32);
  DynamicTestArgs reading({handle("a/b")}, {DType::kFloat32}, store);
  EXPECT_FALSE(run(read, reading)) << "nothing was assigned";

  OneOp assign(Op::ASSIGN_VARIABLE);
  assign.input(DType::kResource, {}).input(DType::kFloat32, {2});
  for (float value : {1.0f, 7.0f}) {
    DynamicTestArgs assigning({handle("a/b"), tensor(DType::kFloat32, {2}, std::vector<float>{value, 2})}, {}, store);
    ASSERT_TRUE(run(assign, assigning));
  }
  ASSERT_TRUE(run(read, reading));
  EXPECT_EQ(reading.values<float>(), (std::vector<float>{7, 2}));
  EXPECT_EQ(reading.output().shape, (Shape{2}));

  OneOp other(Op::READ_VARIABLE);
  other.input(DType::kResource, {}).output(DType::kInt32);
  DynamicTestArgs wrong({handle("a/b")}, {DType::kInt32}, store);
  EXPECT_FALSE(run(other, wrong)) << "the variable holds another type";
}

class Table : public ::testing::Test {
 protected:
  Status import(const OwnedTensor& keys, const OwnedTensor& values) {
    OneOp op(Op::HASHTABLE_IMPORT);
    op.input(DType::kResource, {1}).input(keys.dtype, keys.shape).input(values.dtype, values.shape);
    DynamicTestArgs args({handle("3"), keys, values}, {}, store_);
    return run(op, args);
  }
  Result<OwnedTensor> find(const OwnedTensor& keys, const OwnedTensor& fallback) {
    OneOp op(Op::HASHTABLE_FIND);
    op.input(DType::kResource, {1}).input(keys.dtype, keys.shape).input(fallback.dtype, {1}).output(fallback.dtype);
    DynamicTestArgs args({handle("3"), keys, fallback}, {fallback.dtype}, store_);
    FB_TRY(run(op, args));
    return args.output();
  }
  ResourceStore store_;
};

TEST_F(Table, FindsValuesAndDefaults) {
  EXPECT_FALSE(find(strings({"pear"}), numbers({-1}))) << "nothing was imported";
  ASSERT_TRUE(import(strings({"pear", "fig", "", "pear"}), numbers({10, 20, 30, 40})));
  const auto found = find(strings({"fig", "plum", "pear", "", "figs"}), numbers({-1}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bytes, numbers({20, -1, 10, 30, -1}).bytes) << "of equal keys the first counts";

  ASSERT_TRUE(import(strings({"plum"}), numbers({50}))) << "ignored";
  EXPECT_EQ(find(strings({"plum"}), numbers({-1}))->bytes, numbers({-1}).bytes);

  OneOp size(Op::HASHTABLE_SIZE);
  size.input(DType::kResource, {1}).output(DType::kInt64);
  DynamicTestArgs args({handle("3")}, {DType::kInt64}, store_);
  ASSERT_TRUE(run(size, args));
  EXPECT_EQ(args.values<int64_t>()[0], 3);
}

TEST_F(Table, MapsNumbersToStrings) {
  ASSERT_TRUE(import(numbers({5, -9, 7}), strings({"five", "", "seven"})));
  const auto found = find(numbers({7, -9, 6}), strings({"?"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bytes, *ops::write_strings({"seven", "", "?"}));
}

TEST_F(Table, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(import(numbers({1, 2}), strings({"one"})));
  EXPECT_FALSE(import(numbers({1}), numbers({1}))) << "no such table in LiteRT";
  OwnedTensor broken = strings({"one"});
  broken.bytes[8] = std::byte{100};  // the end of the string
  EXPECT_FALSE(import(numbers({1}), broken));
  ASSERT_TRUE(import(numbers({1}), strings({"one"})));
  EXPECT_FALSE(find(strings({"x"}), numbers({0}))) << "asked the other way round";
  EXPECT_FALSE(find(numbers({1}), strings({"a", "b"}))) << "two defaults";
}

TEST(Strings, RejectsBytesThatAreNotAStringTensor) {
  const std::vector<std::byte> good = *ops::write_strings({"ab", "", "xyz"});
  const auto views = ops::read_strings(good.data(), good.size());
  ASSERT_TRUE(views);
  EXPECT_EQ(*views, (std::vector<std::string_view>{"ab", "", "xyz"}));
  // Whatever a header claims, views stay inside the bytes.
  for (size_t cut = 0; cut < good.size(); ++cut) {
    const auto cut_views = ops::read_strings(good.data(), cut);
    EXPECT_TRUE(!cut_views || cut == 0 || cut_views->empty()) << cut;
  }
  test::Random random(1);
  for (int round = 0; round < 2000; ++round) {
    auto bytes = random.integers<uint8_t>(static_cast<size_t>(random.integer(0, 40)), 0, 12);
    const test::Guarded<uint8_t> guarded(bytes);
    const auto read = ops::read_strings(guarded.data(), bytes.size());
    if (!read) continue;
    for (std::string_view text : *read) {
      EXPECT_GE(reinterpret_cast<const uint8_t*>(text.data()), guarded.data());
      EXPECT_LE(reinterpret_cast<const uint8_t*>(text.data()) + text.size(), guarded.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace fewbits
