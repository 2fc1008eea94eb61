// Ctrl-C and kill: the process ends at once, unless it is writing a file, which it completes first.
#pragma once

namespace fewbits::cli {

inline constexpr int kExitInterrupted = 130;

void handle_interrupts();

// While one lives, an interrupt waits; its end carries the interrupt out. Files are written through a temporary beside them, so
// whatever happens a result is absent or whole; the wait is so that no temporary stays behind.
class WritingOutput {
 public:
  WritingOutput();
  ~WritingOutput();
  WritingOutput(const WritingOutput&) = delete;
  WritingOutput& operator=(const WritingOutput&) = delete;
};

}  // namespace fewbits::cli
