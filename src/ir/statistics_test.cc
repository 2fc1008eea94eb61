// Statistics of parts, merged, are those of one pass.
#include "ir/statistics.h"

#include <gtest/gtest.h>

namespace fewbits {
namespace {

TensorStats seen(std::initializer_list<std::pair<float, std::vector<double>>> samples) {
  TensorStats stats;
  for (const auto& [range, means] : samples) {
    stats.add(-range, range);
    stats.add_means(means);
  }
  return stats;
}

TEST(TensorStats, MeansOfMergedPartsAreThoseOfOnePass) {
  // Values whose sum in floating point depends on the order.
  const std::vector<double> a{1e7, 0.1}, b{-1e7, 0.2}, c{1e-5, 0.3};
  const TensorStats whole = seen({{1, a}, {2, b}, {3, c}});
  TensorStats late = seen({{2, b}, {3, c}}), first = seen({{1, a}});
  first.merge(late);
  EXPECT_EQ(first.mean_sums, whole.mean_sums);
  EXPECT_NEAR(whole.means()[0], 1e-5 / 3, 1e-7);
  EXPECT_NEAR(whole.means()[1], 0.2, 1e-7);
}

TEST(TensorStats, ChannelsThatVaryHaveNoMeans) {
  EXPECT_TRUE(seen({{1, {1.0, 2.0}}, {1, {1.0}}}).means().empty());
  TensorStats merged = seen({{1, {1.0, 2.0}}});
  merged.merge(seen({{1, {1.0}}}));
  EXPECT_TRUE(merged.means().empty());
}

TEST(TensorStats, LargeMeansAreKeptAndSumsBeyond64BitsDropped) {
  EXPECT_NEAR(seen({{1, {1e9}}, {1, {3e9}}}).means()[0], 2e9, 1);
  EXPECT_TRUE(seen({{1, {1e12}}}).means().empty());
  TensorStats most = seen({{1, {0.0}}}), more = most;  // as a file may say
  most.mean_sums = more.mean_sums = {std::numeric_limits<int64_t>::max()};
  most.merge(more);
  EXPECT_TRUE(most.means().empty());
}

}  // namespace
}  // namespace fewbits
