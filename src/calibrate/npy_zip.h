// NumPy's .npz: a zip archive of .npy members, through libzip.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/npy.h"
#include "calibrate/npy_rows.h"

namespace fewbits::calibrate {

// One array of an archive. `problem` says why it cannot be read (a string array, a broken header); then header is
// empty.
struct NpzMember {
  std::string name;  // without .npy
  NpyHeader header;
  std::string problem;
  ErrorCode problem_code = ErrorCode::kInvalidData;
};

// An open archive: the headers of its arrays are read when it is opened, their data when it is asked for.
// Belongs to one thread. Errors name the file and the member. Members that are no .npy are passed over.
class NpzReader {
 public:
  static Result<std::shared_ptr<NpzReader>> open(const std::string& path);
  // The bytes must live as long as the reader; `name` stands for the path in errors.
  static Result<std::shared_ptr<NpzReader>> open_bytes(std::span<const uint8_t> bytes, std::string name);
  ~NpzReader();
  NpzReader(const NpzReader&) = delete;
  NpzReader& operator=(const NpzReader&) = delete;

  const std::string& path() const noexcept { return path_; }
  const std::vector<NpzMember>& members() const noexcept { return members_; }
  const NpzMember* find(std::string_view name) const noexcept;

  // A whole array. Memory grows with the bytes that are really there, up to `most_bytes`, beyond which it is an error.
  Result<Array> read(const std::string& name, size_t most_bytes = SIZE_MAX);

  // Rows of an array; the source keeps `reader` open. Arrays of up to `memory_limit` bytes, when compressed, are held
  // in memory. Larger ones are streamed: a stored member is read at any place, a compressed one forwards, so that rows
  // in rising order cost one pass and a step back costs a new start. Fortran order can only be read in memory.
  static Result<std::unique_ptr<RowSource>> rows(const std::shared_ptr<NpzReader>& reader, const std::string& name,
                                                 size_t memory_limit);

 private:
  struct Archive;
  NpzReader() = default;
  static Result<std::shared_ptr<NpzReader>> finish(std::unique_ptr<Archive> archive, std::string path);
  Result<size_t> index_of(const std::string& name) const;
  std::string where(size_t member) const;

  std::string path_;
  std::unique_ptr<Archive> archive_;
  std::vector<NpzMember> members_;
};

// All arrays of an archive in memory, which may take `most_bytes` each; for small archives and for fuzzing.
Result<std::vector<Array>> parse_npz(std::span<const uint8_t> bytes, size_t most_bytes = SIZE_MAX);

enum class NpzCompression { kStored, kDeflated };
// Writes an archive that numpy.load reads, with the same bytes every time. An array's name must not be empty or
// repeated.
Status write_npz(const std::string& path, std::span<const Array> arrays,
                 NpzCompression compression = NpzCompression::kDeflated);

}  // namespace fewbits::calibrate
