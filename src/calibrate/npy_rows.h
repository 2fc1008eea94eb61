// Arrays on disk read a few rows at a time: what a dataset larger than memory is made of.
#pragma once

#include <memory>
#include <string>

#include "calibrate/npy.h"

namespace fewbits::calibrate {

// An array along its first dimension. Belongs to one thread.
class RowSource {
 public:
  explicit RowSource(NpyHeader header) : header_(std::move(header)) {}
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;

  const NpyHeader& header() const noexcept { return header_; }
  size_t rows() const noexcept { return header_.rows(); }

  // Row `index` without its first dimension. Errors: an index out of range, a file that cannot be read.
  Result<Array> row(size_t index);

 protected:
  // Copies one row, of header().row_bytes(), in C order and this machine's byte order.
  virtual Status fetch(size_t index, std::span<std::byte> out) = 0;

 private:
  NpyHeader header_;
};

// Rows of an array whose data stands in memory or in a map; `keep` owns the bytes. data.size() == header.data_bytes.
std::unique_ptr<RowSource> rows_in_memory(NpyHeader header, std::span<const uint8_t> data,
                                          std::shared_ptr<const void> keep);
// Rows of a .npy file, which stays mapped. Errors name the file.
Result<std::unique_ptr<RowSource>> open_npy_rows(const std::string& path);

}  // namespace fewbits::calibrate
