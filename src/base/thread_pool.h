// A fixed pool of worker threads for data-parallel loops; the calling thread is one of them.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace fewbits {

class ThreadPool {
 public:
  // threads: how many run a loop, the caller included; 1 makes no worker. At most 64.
  explicit ThreadPool(int threads = 1);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept { return threads_; }

  // Calls body(begin, end) over disjoint ranges that cover [0, count), each at least `grain` long but for the last, on up to
  // threads() threads, and returns when all are done. Allocates nothing. One loop at a time a pool: it belongs to one session.
  // body must not throw. A count of at most `grain` runs on the caller alone.
  template <class Body>
  void parallel_for(size_t count, size_t grain, const Body& body) const noexcept {
    run(
        count, grain,
        [](const void* context, size_t begin, size_t end) { (*static_cast<const Body*>(context))(begin, end); }, &body);
  }

 private:
  struct Impl;
  void run(size_t count, size_t grain, void (*body)(const void*, size_t, size_t), const void* context) const noexcept;

  int threads_;
  std::unique_ptr<Impl> impl_;
};

// The same loop on `pool`, or on the caller when pool is null.
template <class Body>
void parallel_for(const ThreadPool* pool, size_t count, size_t grain, const Body& body) noexcept {
  if (pool == nullptr) {
    if (count > 0) body(size_t{0}, count);
  } else {
    pool->parallel_for(count, grain, body);
  }
}

}  // namespace fewbits
