// Members are read whole, into memory that their stored size vouches for.
#include "formats/keras/archive.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace fewbits::keras {
namespace {

constexpr uint64_t kAnyGrowth = uint64_t{64} << 20;  // members up to this size may be as compressible as they like
constexpr uint64_t kMaxGrowth = 20;                  // of larger ones: weights hardly shrink
constexpr uint64_t kMaxMember = uint64_t{1} << 36;

}  // namespace

Result<std::vector<uint8_t>> read_member(const std::string& zip_path, const std::string& member) {
  int code = 0;
  const std::unique_ptr<zip_t, decltype(&zip_discard)> zip(zip_open(zip_path.c_str(), ZIP_RDONLY, &code), zip_discard);
  if (zip == nullptr) return fail(ErrorCode::kInvalidModel, "{}: cannot be read as a zip archive", zip_path);
  zip_stat_t info;
  if (zip_stat(zip.get(), member.c_str(), 0, &info) != 0)
    return fail(ErrorCode::kNotFound, "{}: has no member '{}'", zip_path, member);
  const uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  std::error_code error;
  const uint64_t file_size = std::filesystem::file_size(zip_path, error);
  if ((info.valid & needed) != needed || error || info.size > kMaxMember ||
      (info.size > kAnyGrowth && info.size / kMaxGrowth > std::min<uint64_t>(info.comp_size, file_size))) {
    return fail(ErrorCode::kInvalidModel, "{}: its member '{}' claims {} bytes", zip_path, member, info.size);
  }
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen_index(zip.get(), info.index, 0), zip_fclose);
  std::vector<uint8_t> bytes(static_cast<size_t>(info.size));
  uint64_t done = 0;
  while (file != nullptr && done < info.size) {
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + done, info.size - done);
    if (got <= 0) break;
    done += static_cast<uint64_t>(got);
  }
  if (file == nullptr || done != info.size)
    return fail(ErrorCode::kInvalidModel, "{}: its member '{}' is damaged", zip_path, member);
  return bytes;
}

}  // namespace fewbits::keras
