// Streaming measures of how far one tensor is from another.
#include "evaluate/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "evaluate/real_values.h"
#include "ir/types.h"

namespace fewbits::evaluate {
namespace {

constexpr size_t kChunk = 1024;
using Chunk = std::array<double, kChunk>;

// Both NaN, or the same infinity.
bool alike(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// Class numbers, indices, masks: numbers for which "nearly equal" means nothing.
bool is_plain_integer(const RealTensor& tensor) {
  return !is_float(tensor.view.dtype) && (tensor.quant == nullptr || !tensor.quant->quantized());
}

}  // namespace

Status ErrorSums::add(const RealTensor& reference, const RealTensor& other) {
  if (!is_real(reference.view.dtype) || !is_real(other.view.dtype)) {
    return fail(ErrorCode::kUnsupported, "{} and {} cannot be compared as numbers", dtype_name(reference.view.dtype),
                dtype_name(other.view.dtype));
  }
  const size_t count = real_count(reference.view);
  if (count != real_count(other.view)) {
    return fail(ErrorCode::kInvalidArgument, "the shapes {} and {} do not have the same number of elements",
                shape_text(reference.view.shape), shape_text(other.view.shape));
  }
  Chunk a, b;
  const double signal_before = signal_, noise_before = noise_;
  for (size_t begin = 0; begin < count; begin += kChunk) {
    const size_t size = std::min(kChunk, count - begin);
    read_real(reference.view, reference.quant, begin, std::span(a).first(size));
    read_real(other.view, other.quant, begin, std::span(b).first(size));
    for (size_t i = 0; i < size; ++i) {
      if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
        nonfinite_ += !alike(a[i], b[i]);
        continue;
      }
      const double difference = b[i] - a[i];
      ++elements_;
      signal_ += a[i] * a[i];
      other_ += b[i] * b[i];
      product_ += a[i] * b[i];
      noise_ += difference * difference;
      absolute_ += std::abs(difference);
      worst_ = std::max(worst_, std::abs(difference));
      largest_ = std::max(largest_, std::abs(a[i]));
    }
  }
  if (signal_ > signal_before && noise_ > noise_before) {
    sample_db_ += 10 * std::log10((signal_ - signal_before) / (noise_ - noise_before));
    ++db_samples_;
  }
  return {};
}

TensorError ErrorSums::result() const {
  TensorError out;
  out.elements = elements_;
  out.nonfinite = nonfinite_;
  out.max_abs = worst_;
  out.mean_abs = elements_ == 0 ? 0 : absolute_ / static_cast<double>(elements_);
  out.reference_max_abs = largest_;
  const double infinity = std::numeric_limits<double>::infinity();
  out.sqnr_db = noise_ == 0 ? infinity : signal_ == 0 ? -infinity : 10 * std::log10(signal_ / noise_);
  out.mean_sqnr_db = db_samples_ == 0 ? out.sqnr_db : sample_db_ / static_cast<double>(db_samples_);
  if (noise_ == 0) {
    out.cosine = 1;
  } else if (signal_ == 0 || other_ == 0) {
    out.cosine = 0;  // a vector of length 0 has no direction to agree with
  } else {
    out.cosine = std::clamp(product_ / (std::sqrt(signal_) * std::sqrt(other_)), -1.0, 1.0);
  }
  return out;
}

size_t argmax(const RealTensor& tensor, size_t begin, size_t count) {
  size_t best = 0;
  double largest = -std::numeric_limits<double>::infinity();
  bool found = false;
  Chunk values;
  for (size_t done = 0; done < count; done += kChunk) {
    const size_t size = std::min(kChunk, count - done);
    read_real(tensor.view, tensor.quant, begin + done, std::span(values).first(size));
    for (size_t i = 0; i < size; ++i) {
      if (values[i] > largest || (!found && values[i] == largest)) {
        largest = values[i];
        best = done + i;
        found = true;
      }
    }
  }
  return best;
}

void Agreement::add(const RealTensor& reference, const RealTensor& other) {
  const size_t count = real_count(reference.view);
  if (is_plain_integer(reference) && is_plain_integer(other)) {
    for (size_t i = 0; i < count; ++i) {
      double a, b;
      read_real(reference.view, nullptr, i, {&a, 1});
      read_real(other.view, nullptr, i, {&b, 1});
      same_ += a == b;
    }
    rows_ += count;
    return;
  }
  const Shape& shape = reference.view.shape;
  const size_t row = shape.empty() ? 1 : static_cast<size_t>(std::max(shape.back(), 1));
  if (row < 2) return;
  for (size_t begin = 0; begin + row <= count; begin += row) {
    ++rows_;
    same_ += argmax(reference, begin, row) == argmax(other, begin, row);
  }
}

std::optional<double> Agreement::result() const {
  return rows_ == 0 ? std::nullopt : std::optional(static_cast<double>(same_) / static_cast<double>(rows_));
}

}  // namespace fewbits::evaluate
