// Detection by CPUID and XGETBV on x86 (the system must save the wide registers, too) and by the auxiliary vector on
// ARM.
#include "base/cpu.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace fewbits {
namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni,
                        Isa::kAmx,      Isa::kNeon, Isa::kNeonDot};

#if defined(__x86_64__)

uint64_t saved_register_state() noexcept {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

constexpr bool all(uint32_t word, uint32_t bits) noexcept { return (word & bits) == bits; }

// Linux saves the tile registers of a process that has asked for it; the permission holds for all of its threads.
bool tiles_are_permitted() noexcept {
#if defined(__linux__)
  constexpr long kRequestState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
#else
  return false;
#endif
}

// Each ISA is the set of extensions that cmake/FewbitsTargets.cmake compiles its files for.
Isa detect() noexcept {
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;         // leaf 1, ecx
  constexpr uint32_t kAvx2 = 1u << 5, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;  // leaf 7, ebx
  constexpr uint32_t kVnni = 1u << 11;                                                                // leaf 7, ecx
  constexpr uint32_t kTiles = 1u << 24, kTilesOfBytes = 1u << 25, kTilesOfBf16 = 1u << 22;            // leaf 7, edx
  constexpr uint64_t kYmmState = 0x06, kZmmState = 0xe6, kTileState = 0x60000;

  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !all(ecx, kFma | kOsxsave | kAvx | kF16c)) return Isa::kBaseline;
  const uint64_t saved = saved_register_state();
  if ((saved & kYmmState) != kYmmState) return Isa::kBaseline;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !all(ebx, kAvx2)) return Isa::kBaseline;
  if ((saved & kZmmState) != kZmmState || !all(ebx, kF | kDq | kBw | kVl)) return Isa::kAvx2;
  if (!all(ecx, kVnni)) return Isa::kAvx512;
  const bool tiles = all(edx, kTiles | kTilesOfBytes | kTilesOfBf16) && (saved & kTileState) == kTileState;
  constexpr uint32_t kBf16 = 1u << 5;  // leaf 7.1, eax
  const bool bf16 = __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && all(eax, kBf16);
  return tiles && bf16 && tiles_are_permitted() ? Isa::kAmx : Isa::kAvx512Vnni;
}

#elif defined(__aarch64__)

Isa detect() noexcept {
#if defined(__linux__)
  constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP
  if (getauxval(AT_HWCAP) & kAsimdDp) return Isa::kNeonDot;
#endif
  return Isa::kNeon;  // part of every 64-bit ARM
}

#else

Isa detect() noexcept { return Isa::kBaseline; }

#endif

// ISAs of two processors do not compare: baseline leads both lists, and neon starts the second.
bool same_processor(Isa a, Isa b) noexcept { return (a >= Isa::kNeon) == (b >= Isa::kNeon); }

Isa capped(Isa best) noexcept {
  const char* wanted = std::getenv("FEWBITS_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (Isa cap : kAll) {
    if (std::strcmp(wanted, isa_name(cap)) == 0 && same_processor(cap, best)) return cap < best ? cap : best;
  }
  return Isa::kBaseline;
}

}  // namespace

Isa isa() noexcept {
  static const Isa value = capped(detect());
  return value;
}

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::kBaseline: return "baseline";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Vnni: return "avx512vnni";
    case Isa::kAmx: return "amx";
    case Isa::kNeon: return "neon";
    case Isa::kNeonDot: return "neondot";
  }
  return "unknown";
}

}  // namespace fewbits
