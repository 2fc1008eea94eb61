// Files through POSIX calls: mmap for reading, a temporary and rename for writing.
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace fewbits {
namespace {

ErrorCode code_of(int error) noexcept {
  return error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
}

tl::unexpected<Error> system_error(const char* doing, const std::string& path, int error) {
  return fail(code_of(error), "cannot {} {}: {}", doing, path, std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const noexcept { return fd_; }
  // 0, or the errno of a close that found delayed write errors.
  int close() noexcept { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

 private:
  int fd_;
};

class RemoveOnExit {
 public:
  explicit RemoveOnExit(const std::string& path) noexcept : path_(path) {}
  ~RemoveOnExit() {
    if (armed_) ::unlink(path_.c_str());
  }
  RemoveOnExit(const RemoveOnExit&) = delete;
  RemoveOnExit& operator=(const RemoveOnExit&) = delete;
  void disarm() noexcept { armed_ = false; }

 private:
  const std::string& path_;
  bool armed_ = true;
};

Status write_all(int fd, std::span<const uint8_t> bytes, const std::string& path) {
  constexpr size_t kMostAtOnce = size_t{1} << 30;  // Linux writes at most 2 GiB a call
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMostAtOnce));
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error("write", path, errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

// The file that `path` leads to through symbolic links: replacing a link by a file would surprise. Refuses directories,
// and devices and pipes, which a rename would destroy.
Result<std::string> final_target(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return path;
    return system_error("write", path, errno);
  }
  if (S_ISDIR(info.st_mode)) return fail(ErrorCode::kInvalidArgument, "cannot write {}: it is a directory", path);
  if (!S_ISREG(info.st_mode))
    return fail(ErrorCode::kInvalidArgument, "cannot write {}: it is not a regular file", path);
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : path;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// A new file in `folder`, named in `temporary`. open() and not mkstemp(), so that the kernel applies the umask to 0666.
int create_temporary(const std::string& folder, std::string& temporary) {
  static std::atomic<unsigned> counter{0};
  constexpr int kAttempts = 1000;
  for (int i = 0; i < kAttempts; ++i) {
    temporary = fmt::format("{}/.fewbits-{}-{}.tmp", folder, ::getpid(), counter.fetch_add(1));
    const int fd = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

// Makes a rename in `folder` last over a power cut. Some file systems refuse to sync a folder; the data is safe even
// so.
void sync_folder(const std::string& folder) noexcept {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return system_error("open", path, errno);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return system_error("read", path, errno);
  if (S_ISDIR(info.st_mode)) return fail(ErrorCode::kInvalidArgument, "cannot read {}: it is a directory", path);
  if (!S_ISREG(info.st_mode))
    return fail(ErrorCode::kInvalidArgument, "cannot read {}: it is not a regular file", path);

  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->identity_ = fmt::format("{} {} {} {}.{:09}", info.st_dev, info.st_ino, info.st_size, info.st_ctim.tv_sec,
                                info.st_ctim.tv_nsec);
  if (info.st_size == 0) return std::shared_ptr<const MappedFile>(std::move(file));
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return system_error("map", path, errno);
  file->data_ = static_cast<const uint8_t*>(data);
  file->size_ = size;
  return std::shared_ptr<const MappedFile>(std::move(file));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

Status write_file_atomically(const std::string& path, const std::function<Status(const ByteSink&)>& produce) {
  FB_ASSIGN(const std::string target, final_target(path));
  const std::string folder = folder_of(target);
  std::string temporary;
  Descriptor fd(create_temporary(folder, temporary));
  if (fd.get() < 0) return system_error("write", path, errno);
  RemoveOnExit guard(temporary);

  FB_TRY(produce([&](std::span<const uint8_t> bytes) { return write_all(fd.get(), bytes, path); }));
  if (::fsync(fd.get()) != 0) return system_error("write", path, errno);
  if (const int error = fd.close(); error != 0) return system_error("write", path, error);
  if (::rename(temporary.c_str(), target.c_str()) != 0) return system_error("write", path, errno);
  guard.disarm();
  sync_folder(folder);
  return {};
}

Status write_file_atomically(const std::string& path, std::span<const uint8_t> bytes) {
  return write_file_atomically(path, [&](const ByteSink& sink) { return sink(bytes); });
}

}  // namespace fewbits
