// Rows of arrays on disk.
#include "calibrate/npy_rows.h"

#include "base/file.h"

namespace fewbits::calibrate {
namespace {

class MemoryRows final : public RowSource {
 public:
  MemoryRows(NpyHeader header, std::span<const uint8_t> data, std::shared_ptr<const void> keep)
      : RowSource(std::move(header)), data_(data), keep_(std::move(keep)) {}

 private:
  Status fetch(size_t index, std::span<std::byte> out) override {
    copy_npy_rows(header(), data_, index, 1, out.data());
    return {};
  }

  std::span<const uint8_t> data_;
  std::shared_ptr<const void> keep_;
};

Result<NpyHeader> header_of_whole_file(std::span<const uint8_t> bytes) {
  FB_ASSIGN(NpyHeader header, parse_npy_header(bytes));
  if (bytes.size() - header.data_offset != header.data_bytes) {
    return fail(ErrorCode::kInvalidData, "{} of shape {} takes {} bytes, but the file holds {}",
                dtype_name(header.dtype), shape_text(header.shape), header.data_bytes,
                bytes.size() - header.data_offset);
  }
  if (header.shape.empty()) return fail(ErrorCode::kInvalidData, "a scalar has no rows");
  return header;
}

}  // namespace

Result<Array> RowSource::row(size_t index) {
  if (index >= rows()) return fail(ErrorCode::kInvalidArgument, "there is no row {} among {}", index, rows());
  Array array{{}, header_.dtype, Shape(header_.shape.begin() + 1, header_.shape.end()), {}};
  array.bytes.resize(header_.row_bytes());
  FB_TRY(fetch(index, array.bytes));
  return array;
}

std::unique_ptr<RowSource> rows_in_memory(NpyHeader header, std::span<const uint8_t> data,
                                          std::shared_ptr<const void> keep) {
  return std::make_unique<MemoryRows>(std::move(header), data, std::move(keep));
}

Result<std::unique_ptr<RowSource>> open_npy_rows(const std::string& path) {
  FB_ASSIGN(auto file, MappedFile::open(path));
  auto header = header_of_whole_file(file->bytes());
  if (!header) return with_context(std::move(header).error(), path);
  const auto data = file->bytes().subspan(header->data_offset);
  return rows_in_memory(*std::move(header), data, std::move(file));
}

}  // namespace fewbits::calibrate
