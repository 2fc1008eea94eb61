// How a sequence operator walks through time: shared by the LSTM and RNN cells.
#pragma once

#include <algorithm>
#include <cstddef>

namespace fewbits::ops::rnn {

// The rows of a [time, batch, depth] (time-major) or [batch, time, depth] tensor, in the order of a direction.
struct Sequence {
  size_t batch = 1, time = 1;
  bool time_major = true;
  bool backward = false;

  // Step `step` of the walk is this time.
  size_t time_of(size_t step) const noexcept { return backward ? time - 1 - step : step; }
  // The row of the tensor that belongs to a time and a batch entry.
  size_t row(size_t t, size_t b) const noexcept { return time_major ? t * batch + b : b * time + t; }
  // How many steps share one product with the input: enough rows to be worth it, few enough for the cache.
  size_t chunk() const noexcept {
    constexpr size_t kRows = 64;
    return std::max<size_t>(1, std::min(time, kRows / std::max<size_t>(1, batch)));
  }
  size_t chunk_rows() const noexcept { return chunk() * batch; }

  // Calls product(first row of the tensor, rows, first row of the chunk's buffer) so that the buffer gets all rows of
  // the times [first, first + count).
  template <class Product>
  void for_chunk_rows(size_t first, size_t count, const Product& product) const noexcept {
    if (time_major) {
      product(row(first, 0), count * batch, size_t{0});
    } else {
      for (size_t b = 0; b < batch; ++b) product(row(first, b), count, b * count);
    }
  }
  // Where for_chunk_rows put time first + i.
  size_t chunk_row(size_t i, size_t b, size_t count) const noexcept {
    return time_major ? i * batch + b : b * count + i;
  }
};

}  // namespace fewbits::ops::rnn
