// What the simd_<isa>.h wrappers share. Include one of those, and only from a source file named after its ISA.
//
// Everything here and there is in an anonymous namespace and inlined: a function built for a newer processor must never
// be the copy that the linker keeps for all. For the same reason these files use no functions of the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#define FB_INLINE inline __attribute__((always_inline))
#define FB_LAMBDA __attribute__((always_inline))

namespace fewbits {
namespace {

template <size_t... kIndex, class Body>
FB_INLINE void unroll_over(std::index_sequence<kIndex...>, const Body& body) noexcept {
  (body.template operator()<kIndex>(), ...);
}
// Calls body<0>() to body<kCount - 1>(): indices that are constants keep arrays of vectors in registers.
template <size_t kCount, class Body>
FB_INLINE void unroll(const Body& body) noexcept {
  unroll_over(std::make_index_sequence<kCount>{}, body);
}

constexpr size_t smaller(size_t a, size_t b) noexcept { return a < b ? a : b; }
constexpr size_t round_up(size_t value, size_t multiple) noexcept {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace
}  // namespace fewbits
