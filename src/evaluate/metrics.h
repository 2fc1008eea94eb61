// Streaming measures of how far one tensor is from another, in double precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "fewbits/evaluate.h"
#include "ir/op_def.h"

namespace fewbits::evaluate {

// A tensor with what its integers stand for.
struct RealTensor {
  TensorView view;
  const QuantParams* quant = nullptr;
};

// Sums over any number of pairs of tensors. See TensorError for what the results mean.
class ErrorSums {
 public:
  // kInvalidArgument when the tensors differ in number of elements, kUnsupported for types that are no numbers.
  Status add(const RealTensor& reference, const RealTensor& other);
  TensorError result() const;

 private:
  uint64_t elements_ = 0, nonfinite_ = 0;
  double sample_db_ = 0;  // sum of the samples' SQNR where finite
  uint64_t db_samples_ = 0;
  double signal_ = 0, noise_ = 0, other_ = 0, product_ = 0, absolute_ = 0, worst_ = 0, largest_ = 0;
};

// How often the largest element of a row is at the same place; for plain integers and booleans, how often elements are equal.
class Agreement {
 public:
  // Both tensors as ErrorSums::add() took them.
  void add(const RealTensor& reference, const RealTensor& other);
  // Nothing when there were no rows of two elements or more.
  std::optional<double> result() const;
  uint64_t rows() const noexcept { return rows_; }

 private:
  uint64_t rows_ = 0, same_ = 0;
};

// The place of the largest of `count` numbers from `begin`, the first of equal ones; NaN is never the largest.
size_t argmax(const RealTensor& tensor, size_t begin, size_t count);

}  // namespace fewbits::evaluate
