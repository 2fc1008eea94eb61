// Tests of base: errors, checked sizes, threads, ISA, half floats, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <vector>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/half.h"
#include "base/lazy_library.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace fewbits {
namespace {

using ::testing::HasSubstr;

Result<int> half_of(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalidArgument, "{} is odd", value);
  return value / 2;
}
Result<int> quarter_of(int value) {
  FB_ASSIGN(const int half, half_of(value));
  return half_of(half);
}
Status check_even(int value) {
  FB_TRY(half_of(value));
  return {};
}

TEST(Status, ErrorsPassThroughTheMacros) {
  EXPECT_EQ(*quarter_of(12), 3);
  EXPECT_EQ(quarter_of(6).error().message, "3 is odd");
  EXPECT_EQ(quarter_of(5).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(check_even(4));
  EXPECT_EQ(check_even(1).error().message, "1 is odd");
  EXPECT_EQ(with_context(half_of(7).error(), "model.tflite").value().message, "model.tflite: 7 is odd");
}

TEST(Checked, OverflowIsNothing) {
  constexpr size_t kMax = std::numeric_limits<size_t>::max();
  EXPECT_EQ(checked_mul(3, 4), 12u);
  EXPECT_FALSE(checked_mul(kMax, 2));
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_FALSE(checked_add(kMax, 1));
  EXPECT_EQ(checked_count(std::vector<int32_t>{}), 1u);
  EXPECT_EQ(checked_count(std::vector<int32_t>{2, 0, 5}), 0u);
  EXPECT_FALSE(checked_count(std::vector<int32_t>{2, -1}));
  EXPECT_FALSE(checked_count(std::vector<int32_t>(3, std::numeric_limits<int32_t>::max())));
}

// The check value of CRC-32C, and those of RFC 3720, B.4.
TEST(Crc32c, GivesThePublishedValues) {
  const auto of = [](const std::vector<uint8_t>& bytes) { return crc32c(bytes); };
  EXPECT_EQ(of({'1', '2', '3', '4', '5', '6', '7', '8', '9'}), 0xe3069283u);
  EXPECT_EQ(of(std::vector<uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(of(std::vector<uint8_t>(32, 0xff)), 0x62a8ab43u);
  EXPECT_EQ(of({}), 0u);
}

TEST(ThreadPool, CoversEveryElementOnce) {
  for (int threads : {1, 2, 5}) {
    const ThreadPool pool(threads);
    for (size_t count : {0, 1, 7, 64, 1000}) {
      for (size_t grain : {0, 1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> seen(count);
        pool.parallel_for(count, grain, [&](size_t begin, size_t end) {
          EXPECT_EQ(begin % std::max<size_t>(grain, 1), 0u);
          EXPECT_LT(begin, end);
          for (size_t i = begin; i < end; ++i) seen[i].fetch_add(1, std::memory_order_relaxed);
        });
        for (size_t i = 0; i < count; ++i) ASSERT_EQ(seen[i].load(), 1) << threads << " " << count << " " << grain;
      }
    }
  }
}

// Plain data written in a loop is seen after it, and loops follow each other closely: what ThreadSanitizer looks at.
TEST(ThreadPool, ResultsAreVisibleAfterTheLoop) {
  const ThreadPool pool(4);
  std::vector<size_t> values(100);
  for (size_t round = 1; round <= 2000; ++round) {
    pool.parallel_for(values.size(), 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) values[i] += i;
    });
    ASSERT_EQ(values[99], 99 * round);
  }
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], 2000 * i);
}

TEST(ThreadPool, SleepingWorkersWakeUp) {
  const ThreadPool pool(3);
  for (int round = 0; round < 5; ++round) {
    usleep(3000);  // long past the spinning
    std::atomic<size_t> sum{0};
    pool.parallel_for(300, 1, [&](size_t begin, size_t end) { sum += end - begin; });
    ASSERT_EQ(sum.load(), 300u);
  }
}

TEST(ThreadPool, CountsAreBounded) {
  EXPECT_EQ(ThreadPool(0).threads(), 1);
  EXPECT_EQ(ThreadPool(-3).threads(), 1);
  EXPECT_EQ(ThreadPool(1000).threads(), 64);
}

// isa() reads the environment once, so each value needs a process of its own: forks of one that has not called it, as GoogleTest
// runs such tests first. The other style starts the program again, which qemu cannot do for another processor's.
TEST(CpuDeathTest, TheEnvironmentCapsTheIsa) {
  GTEST_FLAG_SET(death_test_style, "fast");
  const auto capped_at = [](const char* value, Isa cap) {
    setenv("FEWBITS_ISA", value, 1);
    std::exit(isa() <= cap ? 0 : 1);
  };
  EXPECT_EXIT(capped_at("baseline", Isa::kBaseline), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(capped_at("avx2", Isa::kAvx2), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(capped_at("neon", Isa::kNeon), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(capped_at("something", Isa::kBaseline), ::testing::ExitedWithCode(0), "");
}

// Run under FEWBITS_ISA=x by ctest (label per_isa): where the machine has x, x is what runs.
TEST(Cpu, TheForcedIsaIsTheOneThatRuns) {
  const char* forced = std::getenv("FEWBITS_ISA");
  if (forced == nullptr) GTEST_SKIP() << "FEWBITS_ISA is not set";
#if defined(__x86_64__)
  const bool present = std::string(forced) == "baseline" ||
                       (std::string(forced) == "avx2" && __builtin_cpu_supports("avx2")) ||
                       (std::string(forced) == "avx512" && __builtin_cpu_supports("avx512vl")) ||
                       (std::string(forced) == "avx512vnni" && __builtin_cpu_supports("avx512vnni"));
  if (!present) GTEST_SKIP() << "this machine has no " << forced;
  EXPECT_STREQ(isa_name(isa()), forced);
#endif
}

TEST(Half, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = half_to_float(half);
    const bool nan = (half & 0x7fff) > 0x7c00;
    ASSERT_EQ(std::isnan(value), nan);
    ASSERT_EQ(float_to_half(value), nan ? half | 0x200 : half) << bits;
    if (!nan && (half & 0x7fff) != 0x7c00) {
      const int exponent = (half >> 10) & 31, fraction = half & 1023;
      const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      ASSERT_EQ(value, half & 0x8000 ? -magnitude : magnitude);
    }
  }
}

// Rounding against distances to the two halves around, over all binades.
TEST(Half, RoundsToNearestEven) {
  for (uint32_t half = 0; half < 0x7bff; ++half) {
    const float low = half_to_float(static_cast<uint16_t>(half)), high = half_to_float(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;  // exact
    ASSERT_EQ(float_to_half(middle), half + (half & 1));
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), half);
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9f)), half + 1);
    ASSERT_EQ(float_to_half(-middle), 0x8000 | (half + (half & 1)));
  }
  EXPECT_EQ(float_to_half(65519.996f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(float_to_half(1e-30f), 0);
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_bfloat16(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bfloat16(1.00390625f), 0x3f80);    // 1 + 2^-8: a tie, to even
  EXPECT_EQ(float_to_bfloat16(1.01171875f), 0x3f82);    // 1 + 3 * 2^-8: a tie, to even
  EXPECT_EQ(float_to_bfloat16(1.0039064f), 0x3f81);     // just above the tie
  EXPECT_EQ(float_to_bfloat16(3.4028235e38f), 0x7f80);  // rounds to infinity
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(bfloat16_to_float(0xc040), -3.0f);
}

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "fewbits-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return folder_ + "/" + name; }
  size_t files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})); }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::span<const uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  }

  std::string folder_;
};

TEST_F(FileTest, WhatIsWrittenIsMapped) {
  ASSERT_TRUE(write_file_atomically(path("a"), bytes("hello")));
  const auto file = MappedFile::open(path("a"));
  ASSERT_TRUE(file);
  const auto mapped = (*file)->bytes();
  EXPECT_EQ(std::string(mapped.begin(), mapped.end()), "hello");
  EXPECT_EQ((*file)->path(), path("a"));
}

TEST_F(FileTest, AnEmptyFileMapsToAnEmptySpan) {
  ASSERT_TRUE(write_file_atomically(path("empty"), bytes("")));
  const auto file = MappedFile::open(path("empty"));
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST_F(FileTest, ErrorsOfOpeningNameThePathAndTheReason) {
  const auto missing = MappedFile::open(path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr(path("missing")));
  EXPECT_THAT(missing.error().message, HasSubstr("No such file"));
  const auto folder = MappedFile::open(folder_);
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("directory"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::open(path("pipe")));  // and does not wait for a writer
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(write_file_atomically(path("a"), bytes("old")));
  const Status failed = write_file_atomically(path("a"), [&](const ByteSink& sink) -> Status {
    FB_TRY(sink(bytes("half of the new")));
    return fail(ErrorCode::kInvalidData, "no more");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no more");
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1u);
  EXPECT_THROW((void)write_file_atomically(path("a"), [](const ByteSink&) -> Status { throw std::runtime_error("x"); }),
               std::runtime_error);
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, AWriteReplacesTheFileAndFollowsTheUmask) {
  const mode_t old = umask(027);
  ASSERT_TRUE(write_file_atomically(path("a"), bytes("old")));
  umask(old);
  struct stat info;
  ASSERT_EQ(stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  ASSERT_TRUE(write_file_atomically(path("a"), [&](const ByteSink& sink) -> Status {
    FB_TRY(sink(bytes("n")));
    return sink(bytes("ew"));
  }));
  EXPECT_EQ(content(path("a")), "new");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, ALinkStaysALink) {
  ASSERT_TRUE(write_file_atomically(path("real"), bytes("old")));
  std::filesystem::create_symlink("real", path("link"));
  ASSERT_TRUE(write_file_atomically(path("link"), bytes("new")));
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(content(path("real")), "new");
}

TEST_F(FileTest, RefusesWhatIsNoFile) {
  const Status folder = write_file_atomically(folder_, bytes("x"));
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("directory"));
  EXPECT_FALSE(write_file_atomically("/dev/null", bytes("x")));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  const Status missing = write_file_atomically(path("no/such/folder"), bytes("x"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr(path("no/such/folder")));
}

TEST(LazyLibrary, OneThatIsMissingIsNamed) {
  const LazyLibrary missing("libfewbits-has-no-such-library.so.7");
  const Status loaded = missing.load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kIo);
  EXPECT_NE(loaded.error().message.find("libfewbits-has-no-such-library.so.7 cannot be loaded"), std::string::npos);
}

TEST(LazyLibrary, GivesTheAddressesOfWhatIsLoaded) {
  const LazyLibrary math("libm.so.6");
  ASSERT_TRUE(math.load()) << math.load().error().message;
  const auto cosine = reinterpret_cast<double (*)(double)>(math.symbol("cos"));
  ASSERT_NE(cosine, nullptr);
  EXPECT_EQ(cosine(0.0), 1.0);
  EXPECT_EQ(math.symbol("no such function"), nullptr);
}

}  // namespace
}  // namespace fewbits
