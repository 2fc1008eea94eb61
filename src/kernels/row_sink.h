// Rows handed on as they are made: what comes after a product is done to rows that are still in the cache.
#pragma once

#include <cstddef>

namespace fewbits {

class RowSink {
 public:
  // at_once: how many rows one take() is best given.
  explicit RowSink(size_t at_once) noexcept : at_once_(at_once) {}
  size_t at_once() const noexcept { return at_once_; }

  // Rows [begin, end) are complete. Every row is given once; several threads may call with rows of their own.
  virtual void take(size_t begin, size_t end) const noexcept = 0;

 protected:
  ~RowSink() = default;

 private:
  size_t at_once_;
};

// How a function that makes rows of a part of a result hands them on: row i of the part is row first + i of the result.
struct RowsTo {
  const RowSink* sink = nullptr;  // null: nobody waits for them
  size_t first = 0;

  void take(size_t begin, size_t end) const noexcept {
    if (sink != nullptr) sink->take(first + begin, first + end);
  }
  RowsTo from(size_t row) const noexcept { return {sink, first + row}; }
};

}  // namespace fewbits
