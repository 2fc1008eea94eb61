// Progress on stderr for work that takes longer than two seconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "command.h"
#include "fewbits/data.h"

namespace fewbits::cli {

// A bar that is drawn over itself on a terminal, a line now and then elsewhere; nothing with --quiet or --json.
class Progress {
 public:
  // work: what is being done, "calibrating".
  Progress(std::string work, const CommonFlags& common);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // For the library; it must not outlive this.
  ProgressCallback callback();

 private:
  using Clock = std::chrono::steady_clock;
  void update(size_t done, size_t total);
  void draw(size_t done, size_t total, double seconds);

  std::string work_;
  bool silent_, terminal_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace fewbits::cli
