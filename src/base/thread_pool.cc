// The pool: workers spin for a few microseconds after a loop, then sleep on a futex until the next one.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace fewbits {
namespace {

constexpr int kMaxThreads = 64;
constexpr int kSpins = 1000;            // about 20 microseconds: the gap between two operators of a model
constexpr size_t kChunksPerThread = 4;  // enough to even out threads that the system slows down
constexpr uint32_t kOpen = 1u << 31;

inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`, with what it has become.
uint32_t wait_while(const std::atomic<uint32_t>& value, uint32_t old) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    cpu_relax();
  }
  for (;;) {
    value.wait(old, std::memory_order_acquire);
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
  }
}

}  // namespace

struct ThreadPool::Impl {
  // The loop. Written by the caller while the gate is shut and empty, read by workers that have passed the open gate.
  size_t count = 0;
  size_t chunk = 0;
  void (*body)(const void*, size_t, size_t) = nullptr;
  const void* context = nullptr;
  bool stop = false;

  // The gate: kOpen while a loop takes workers, plus the number of workers inside. A worker that wakes late finds it
  // shut and costs the caller nothing.
  alignas(64) std::atomic<uint32_t> gate{0};
  alignas(64) std::atomic<uint32_t> generation{0};  // counts loops; workers sleep on it
  alignas(64) std::atomic<size_t> next{0};          // the first element that nobody has taken
  std::vector<std::thread> workers;

  void work() noexcept {
    for (;;) {
      const size_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= count) return;
      body(context, begin, std::min(begin + chunk, count));
    }
  }

  bool enter() noexcept {
    uint32_t state = gate.load(std::memory_order_relaxed);
    while (state & kOpen) {
      if (gate.compare_exchange_weak(state, state + 1, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    }
    return false;
  }

  void worker() noexcept {
    uint32_t seen = 0;
    for (;;) {
      seen = wait_while(generation, seen);
      if (!enter()) continue;
      const bool last = stop;
      if (!last) work();
      if (gate.fetch_sub(1, std::memory_order_release) == 1) gate.notify_one();
      if (last) return;
    }
  }

  void open() noexcept {
    next.store(0, std::memory_order_relaxed);
    gate.store(kOpen, std::memory_order_release);
    generation.fetch_add(1, std::memory_order_release);
    generation.notify_all();
  }

  void shut() noexcept {
    uint32_t inside = gate.fetch_and(~kOpen, std::memory_order_acquire) & ~kOpen;
    while (inside != 0) inside = wait_while(gate, inside);
  }
};

ThreadPool::ThreadPool(int threads) : threads_(std::clamp(threads, 1, kMaxThreads)) {
  if (threads_ == 1) return;
  impl_ = std::make_unique<Impl>();
  try {
    impl_->workers.reserve(static_cast<size_t>(threads_ - 1));
    for (int i = 1; i < threads_; ++i) impl_->workers.emplace_back([impl = impl_.get()] { impl->worker(); });
  } catch (const std::exception&) {  // no more threads or memory: go on with the threads there are
    threads_ = static_cast<int>(impl_->workers.size()) + 1;
  }
}

ThreadPool::~ThreadPool() {
  if (!impl_) return;
  impl_->stop = true;
  impl_->open();  // and never shut: every worker passes once and ends
  for (std::thread& worker : impl_->workers) worker.join();
}

void ThreadPool::run(size_t count, size_t grain, void (*body)(const void*, size_t, size_t),
                     const void* context) const noexcept {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  if (threads_ == 1 || count <= grain) return body(context, 0, count);

  // Whole grains a chunk, so that ranges begin at multiples of the grain.
  const size_t grains = (count - 1) / grain + 1;
  const size_t chunks = static_cast<size_t>(threads_) * kChunksPerThread;
  impl_->count = count;
  impl_->chunk = std::max<size_t>(grains / chunks, 1) * grain;
  impl_->body = body;
  impl_->context = context;
  impl_->open();
  impl_->work();
  impl_->shut();
}

}  // namespace fewbits
