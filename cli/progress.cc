// Progress on stderr.
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace fewbits::cli {
namespace {

constexpr double kPatience = 2;       // seconds before anything is shown
constexpr double kBarInterval = 0.1;  // between two bars
constexpr double kLineInterval = 10;  // between two lines
constexpr int kBarWidth = 30;

}  // namespace

Progress::Progress(std::string work, const CommonFlags& common)
    : work_(std::move(work)),
      silent_(common.quiet || common.json),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_ && terminal_) fmt::print(stderr, "\r\033[K");
}

ProgressCallback Progress::callback() {
  return [this](size_t done, size_t total) {
    if (!silent_) update(done, total);
    return true;
  };
}

void Progress::update(size_t done, size_t total) {
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (elapsed < kPatience) return;
  if (drawn_ && since < (terminal_ ? kBarInterval : kLineInterval)) return;
  last_ = now;
  drawn_ = true;
  draw(done, total, elapsed);
}

void Progress::draw(size_t done, size_t total, double seconds) {
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double left = seconds / share - seconds;
  if (terminal_) {
    const int filled = static_cast<int>(share * kBarWidth);
    fmt::print(stderr, "\r{} [{:<{}}] {} of {}, {:.0f} s left\033[K", work_,
               std::string(static_cast<size_t>(filled), '#'), kBarWidth, done, total, left);
  } else {
    fmt::print(stderr, "{}: {} of {}, {:.0f} s left\n", work_, done, total, left);
  }
  std::fflush(stderr);
}

}  // namespace fewbits::cli
