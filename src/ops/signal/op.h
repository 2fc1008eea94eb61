// Spectra: RFFT2D, COMPLEX_ABS, REAL, IMAG.
//
// RFFT2D computes in double, as LiteRT does, so results agree to float32's last bits. Lengths are powers of two; the
// input's last two dimensions are cut or padded with zeros to them. Any power of two from 1 on is taken (LiteRT's
// library needs 2).
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> signal_ops() noexcept;

// rfft2d.cc
Status infer_rfft2d(OpContext& context);
Result<Prepared> prepare_rfft2d(const OpContext& context);
// kernels.cc
Result<Prepared> prepare_complex_abs(const OpContext& context);
Result<Prepared> prepare_real(const OpContext& context);
Result<Prepared> prepare_imag(const OpContext& context);

}  // namespace fewbits::ops
