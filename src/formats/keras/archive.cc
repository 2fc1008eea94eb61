// Members are read whole, into memory that their stored size vouches for, or found where they are stored.
#include "formats/keras/archive.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/lazy_zip.h"
#include "base/pages.h"

namespace fewbits::keras {
namespace {

constexpr uint64_t kAnyGrowth = uint64_t{64} << 20;  // members up to this size may be as compressible as they like
constexpr uint64_t kMaxGrowth = 20;                  // of larger ones: weights hardly shrink
constexpr uint64_t kMaxMember = uint64_t{1} << 36;

constexpr size_t kPiece = size_t{1} << 16;       // of a member that is verified
constexpr uint64_t kSeldom = uint64_t{1} << 22;  // bytes between two times that pages are given back

struct Closer {
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};

// An open archive and one member's description.
class Archive {
 public:
  static Result<Archive> open(const std::string& path, const std::string& member) {
    FB_TRY(load_zip());
    int code = 0;
    Archive archive;
    archive.zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (archive.zip_ == nullptr) return fail(ErrorCode::kInvalidModel, "{}: cannot be read as a zip archive", path);
    zip_stat_t& info = archive.info_;
    if (zip_stat(archive.zip_.get(), member.c_str(), 0, &info) != 0)
      return fail(ErrorCode::kNotFound, "{}: has no member '{}'", path, member);
    const uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    std::error_code error;
    const uint64_t file_size = std::filesystem::file_size(path, error);
    if ((info.valid & needed) != needed || error || info.size > kMaxMember ||
        (info.size > kAnyGrowth && info.size / kMaxGrowth > std::min<uint64_t>(info.comp_size, file_size))) {
      return fail(ErrorCode::kInvalidModel, "{}: its member '{}' claims {} bytes", path, member, info.size);
    }
    return archive;
  }

  const zip_stat_t& info() const noexcept { return info_; }

  // Hands all bytes to `take`, in pieces of up to `piece`; false when the member is damaged or `take` says so.
  template <class Take>
  bool read(size_t piece, const Take& take) {
    const std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(zip_.get(), info_.index, 0));
    uint64_t done = 0;
    while (file != nullptr && done < info_.size) {
      const zip_int64_t got = take(file.get(), done, std::min<uint64_t>(piece, info_.size - done));
      if (got <= 0) return false;
      done += static_cast<uint64_t>(got);
    }
    // The checksum is looked at where the end is read.
    uint8_t none = 0;
    return file != nullptr && done == info_.size && zip_fread(file.get(), &none, 1) == 0;
  }

 private:
  std::unique_ptr<zip_t, Closer> zip_;
  zip_stat_t info_{};
};

uint32_t u16(std::span<const uint8_t> b, uint64_t at) { return b[at] | uint32_t{b[at + 1]} << 8; }
uint32_t u32(std::span<const uint8_t> b, uint64_t at) { return u16(b, at) | u16(b, at + 2) << 16; }

// Where a stored member's bytes begin, by the central directory of the zip application note. Nothing where that is not as simple
// as Keras writes it: libzip, which knows all forms, is asked then.
std::optional<uint64_t> offset_of(std::span<const uint8_t> file, const std::string& member, uint64_t size) {
  constexpr uint64_t kEnd = 22, kEntry = 46, kLocal = 30;
  if (file.size() < kEnd || u32(file, file.size() - kEnd) != 0x06054b50) return std::nullopt;  // no comment behind it
  uint64_t at = u32(file, file.size() - kEnd + 16);
  for (uint32_t left = u16(file, file.size() - kEnd + 10); left > 0; --left) {
    if (at + kEntry > file.size() || u32(file, at) != 0x02014b50) return std::nullopt;
    const uint64_t name = u16(file, at + 28), rest = u16(file, at + 30) + u16(file, at + 32);
    const uint64_t local = u32(file, at + 42);
    if (at + kEntry + name > file.size()) return std::nullopt;
    const bool found = name == member.size() && std::memcmp(file.data() + at + kEntry, member.data(), name) == 0;
    at += kEntry + name + rest;
    if (!found) continue;
    if (local + kLocal > file.size() || u32(file, local) != 0x04034b50) return std::nullopt;
    const uint64_t begin = local + kLocal + u16(file, local + 26) + u16(file, local + 28);
    return begin <= file.size() && size <= file.size() - begin ? std::optional(begin) : std::nullopt;
  }
  return std::nullopt;
}

// The member where it lies, if libzip reads the same bytes there and finds their checksum right.
Result<std::optional<Member>> mapped_member(Archive& archive, const std::string& path, const std::string& name) {
  const zip_stat_t& info = archive.info();
  if ((info.valid & ZIP_STAT_COMP_METHOD) == 0 || info.comp_method != ZIP_CM_STORE || info.comp_size != info.size)
    return std::optional<Member>();
  FB_ASSIGN(const auto file, MappedFile::open(path));
  const auto offset = offset_of(file->bytes(), name, info.size);
  if (!offset) return std::optional<Member>();
  const auto bytes = file->bytes().subspan(*offset, info.size);
  std::vector<uint8_t> piece(kPiece);
  const bool same = archive.read(kPiece, [&](zip_file_t* source, uint64_t done, uint64_t most) -> zip_int64_t {
    const zip_int64_t got = zip_fread(source, piece.data(), most);
    if (got <= 0 || std::memcmp(piece.data(), bytes.data() + done, static_cast<size_t>(got)) != 0) return -1;
    if (done / kSeldom != (done + static_cast<uint64_t>(got)) / kSeldom) forget_pages(bytes.first(done));
    return got;
  });
  forget_pages(bytes);
  return same ? std::optional(Member{bytes, file, true}) : std::nullopt;
}

}  // namespace

Result<std::vector<uint8_t>> read_member(const std::string& zip_path, const std::string& member) {
  FB_ASSIGN(Archive archive, Archive::open(zip_path, member));
  std::vector<uint8_t> bytes(static_cast<size_t>(archive.info().size));
  const bool whole = archive.read(bytes.size(), [&](zip_file_t* source, uint64_t done, uint64_t most) {
    return zip_fread(source, bytes.data() + done, most);
  });
  if (!whole) return fail(ErrorCode::kInvalidModel, "{}: its member '{}' is damaged", zip_path, member);
  return bytes;
}

Result<Member> open_member(const std::string& zip_path, const std::string& member) {
  {
    FB_ASSIGN(Archive archive, Archive::open(zip_path, member));
    FB_ASSIGN(auto mapped, mapped_member(archive, zip_path, member));
    if (mapped) return std::move(*mapped);
  }
  FB_ASSIGN(auto bytes, read_member(zip_path, member));
  const auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return Member{*owner, owner, false};
}

}  // namespace fewbits::keras
