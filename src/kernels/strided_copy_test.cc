// StridedCopy against an index-by-index loop: merging, transposed tiles, repeats, reversals, threads.
#include "kernels/strided_copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace fewbits {
namespace {

struct Extent {
  int64_t first = 0, last = 0;  // the least and the greatest offset that a side reaches
};

Extent extent(const std::vector<CopyDim>& dims, int64_t CopyDim::* stride) {
  Extent e;
  for (const CopyDim& dim : dims) (dim.*stride < 0 ? e.first : e.last) += (dim.size - 1) * (dim.*stride);
  return e;
}

void copy_by_index(const std::vector<CopyDim>& dims, size_t element, size_t depth, const char* src, char* dst) {
  if (depth == dims.size()) {
    std::memcpy(dst, src, element);
    return;
  }
  for (int64_t i = 0; i < dims[depth].size; ++i) {
    copy_by_index(dims, element, depth + 1, src + i * dims[depth].src, dst + i * dims[depth].dst);
  }
}

// Both ways into buffers with a margin that must stay untouched.
void expect_same(const std::vector<CopyDim>& dims, size_t element, const ThreadPool* pool = nullptr) {
  const Extent from = extent(dims, &CopyDim::src), to = extent(dims, &CopyDim::dst);
  constexpr int64_t kMargin = 17;  // odd: unaligned
  std::vector<char> src(static_cast<size_t>(from.last - from.first) + element + 2 * kMargin);
  std::mt19937 random(7);
  for (char& c : src) c = static_cast<char>(random());
  std::vector<char> expected(static_cast<size_t>(to.last - to.first) + element + 2 * kMargin, 'x'), got = expected;
  const int64_t src_offset = kMargin - from.first, dst_offset = kMargin - to.first;
  copy_by_index(dims, element, 0, src.data() + src_offset, expected.data() + dst_offset);
  StridedCopy(dims, element, src_offset, dst_offset).run(src.data(), got.data(), pool);
  EXPECT_EQ(expected, got) << "element " << element << ", rank " << dims.size();
}

// The dimensions of a transpose of contiguous tensors.
std::vector<CopyDim> transposed(const std::vector<int64_t>& shape, const std::vector<int>& perm, int64_t element) {
  std::vector<int64_t> stride(shape.size());
  int64_t step = element;
  for (size_t i = shape.size(); i-- > 0; step *= shape[i]) stride[i] = step;
  std::vector<CopyDim> dims(shape.size());
  step = element;
  for (size_t i = shape.size(); i-- > 0; step *= dims[i].size) {
    const auto from = static_cast<size_t>(perm[i]);
    dims[i] = {shape[from], stride[from], step};
  }
  return dims;
}

TEST(StridedCopy, AllPermutationsOfFourDimensions) {
  std::vector<int> perm = {0, 1, 2, 3};
  do {
    for (const int64_t element : {1, 2, 3, 4, 8, 16, 20}) {
      expect_same(transposed({3, 9, 17, 10}, perm, element), static_cast<size_t>(element));
      expect_same(transposed({1, 8, 1, 16}, perm, element), static_cast<size_t>(element));
      expect_same(transposed({5, 2, 40, 3}, perm, element), static_cast<size_t>(element));
    }
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(StridedCopy, ThreadsGiveTheSameBytes) {
  const ThreadPool pool(3);
  for (const int64_t element : {1, 4}) {
    expect_same(transposed({2, 300, 301}, {0, 2, 1}, element), static_cast<size_t>(element), &pool);
    expect_same(transposed({611, 303}, {1, 0}, element), static_cast<size_t>(element), &pool);
    expect_same(transposed({40, 7, 900, 3}, {2, 0, 1, 3}, element), static_cast<size_t>(element), &pool);
    expect_same({{1 << 20, element, element}}, static_cast<size_t>(element), &pool);
    expect_same({{1 << 18, 2 * element, element}}, static_cast<size_t>(element), &pool);
  }
}

TEST(StridedCopy, RepeatsAndReversals) {
  for (const int64_t element : {1, 2, 4, 8, 16}) {
    expect_same({{100, 0, element}}, static_cast<size_t>(element));
    expect_same({{3, 0, 8 * element}, {8, element, element}}, static_cast<size_t>(element));
    expect_same({{3, 8 * element, 40 * element}, {5, 0, 8 * element}, {8, element, element}},
                static_cast<size_t>(element));
    expect_same({{33, -element, element}}, static_cast<size_t>(element));
    expect_same({{6, -5 * element, 5 * element}, {5, -element, element}}, static_cast<size_t>(element));
    expect_same({{6, 5 * element, 15 * element}, {5, element, 3 * element}}, static_cast<size_t>(element));
    expect_same({}, static_cast<size_t>(element));
  }
}

TEST(StridedCopy, EmptyBoxesTouchNothing) {
  char untouched = 'x';
  const CopyDim dims[] = {{4, 1, 1}, {0, 1, 1}};
  StridedCopy(dims, 1).run(nullptr, &untouched, nullptr);
  StridedCopy().run(nullptr, &untouched, nullptr);
  StridedCopy(size_t{0}).run(nullptr, &untouched, nullptr);
  EXPECT_EQ(untouched, 'x');
}

TEST(StridedCopy, MergesWhatIsContiguous) {
  EXPECT_EQ(std::string(StridedCopy(transposed({2, 3, 4}, {0, 1, 2}, 4), 4).kind()), "copy");
  EXPECT_EQ(std::string(StridedCopy(transposed({2, 3, 64}, {1, 0, 2}, 4), 4).kind()), "rows");
  EXPECT_EQ(std::string(StridedCopy(transposed({1, 56, 56, 64}, {0, 3, 1, 2}, 4), 4).kind()), "transpose");
}

}  // namespace
}  // namespace fewbits
