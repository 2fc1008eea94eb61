// Which instruction sets this process may use: what the processor and the system offer, capped by FEWBITS_ISA.
#pragma once

namespace fewbits {

// In rising order on each processor; kernels ask isa() >= Isa::kAvx2 and so on.
enum class Isa : int { kBaseline = 0, kAvx2 = 1, kAvx512 = 2, kAvx512Vnni = 3, kAmx = 4, kNeon = 11, kNeonDot = 12 };

// The best ISA of this machine that the environment variable FEWBITS_ISA (baseline, avx2, avx512, avx512vnni, amx, neon, neondot)
// allows. Read once; an unknown value of FEWBITS_ISA caps at baseline. Thread-safe.
Isa isa() noexcept;
const char* isa_name(Isa isa) noexcept;

}  // namespace fewbits
