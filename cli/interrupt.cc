// Ctrl-C and kill.
#include "interrupt.h"

#include <unistd.h>

#include <csignal>

namespace fewbits::cli {
namespace {

volatile std::sig_atomic_t writing = 0, interrupted = 0;

void on_signal(int) {
  interrupted = 1;
  if (writing == 0) _exit(kExitInterrupted);
}

}  // namespace

void handle_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

WritingOutput::WritingOutput() { writing = 1; }

WritingOutput::~WritingOutput() {
  writing = 0;
  if (interrupted != 0) _exit(kExitInterrupted);
}

}  // namespace fewbits::cli
