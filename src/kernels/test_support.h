// For the kernels' tests: memory whose last byte lies before a forbidden page, and random numbers.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace fewbits::test {

// `count` elements that end where a page begins that nobody may touch, so a read or write past the end crashes. Odd
// counts make unaligned data. Filled with 0x5a. With FEWBITS_UNGUARDED in the environment that page may be touched: qemu's masked
// loads of AVX2 read all lanes, which no processor does.
template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = (count * sizeof(T) + page - 1) / page * page;
    size_ = bytes + page;
    map_ = static_cast<uint8_t*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    static const int forbidden = std::getenv("FEWBITS_UNGUARDED") == nullptr ? PROT_NONE : PROT_READ | PROT_WRITE;
    if (map_ == MAP_FAILED || mprotect(map_ + bytes, page, forbidden) != 0) std::abort();
    std::memset(map_, 0x5a, bytes);
    data_ = reinterpret_cast<T*>(map_ + bytes - count * sizeof(T));
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    if (count_ > 0) std::memcpy(data_, values.data(), count_ * sizeof(T));
  }
  ~Guarded() {
    if (map_ != nullptr) munmap(map_, size_);
  }
  Guarded(Guarded&& other) noexcept
      : count_(other.count_), size_(other.size_), map_(std::exchange(other.map_, nullptr)), data_(other.data_) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }
  std::span<T> span() const { return {data_, count_}; }

 private:
  size_t count_, size_ = 0;
  uint8_t* map_ = nullptr;
  T* data_ = nullptr;
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  int64_t integer(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(engine_); }
  float real(float lo, float hi) { return std::uniform_real_distribution<float>(lo, hi)(engine_); }

  template <class T>
  std::vector<T> integers(size_t count, int64_t lo, int64_t hi) {
    std::vector<T> values(count);
    for (T& value : values) value = static_cast<T>(integer(lo, hi));
    return values;
  }
  std::vector<float> reals(size_t count, float lo, float hi) {
    std::vector<float> values(count);
    for (float& value : values) value = real(lo, hi);
    return values;
  }

 private:
  std::mt19937 engine_;
};

// The rounding of products, written another way than requantize.h: to a whole number, halves to even, then to a multiple
// of 2^shift, halves away from zero.
inline int64_t twice_rounded(int32_t sum, float multiplier) {
  int shift = 0;
  float fraction = std::frexp(multiplier, &shift);
  if (shift > 0) fraction = std::ldexp(fraction, std::exchange(shift, 0));
  const double whole = std::nearbyint(static_cast<double>(static_cast<float>(sum)) * static_cast<double>(fraction));
  return std::llround(std::ldexp(whole, shift));
}

}  // namespace fewbits::test
