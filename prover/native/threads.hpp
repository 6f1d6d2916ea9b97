// Fork and join over plain threads, with cancellation between tasks.
#pragma once
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace verinfer {

// Thrown inside a computation whose caller has asked it to stop.
struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

class Cancellation {
 public:
  void request() { requested_.store(true, std::memory_order_relaxed); }
  void check() const {
    if (requested_.load(std::memory_order_relaxed)) throw Cancelled();
  }

 private:
  std::atomic<bool> requested_{false};
};

// Runs fn(task, worker) for every task in [0, count) on `threads` threads, the caller among them; tasks are taken in
// order. The first exception stops the rest and is rethrown here.
template <class Fn>
void parallel_tasks(unsigned threads, size_t count, const Cancellation& cancel, Fn&& fn) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&](unsigned worker) {
    try {
      for (size_t task; (task = next.fetch_add(1)) < count;) {
        cancel.check();
        fn(task, worker);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (!failure) failure = std::current_exception();
      next.store(count);
    }
  };
  std::vector<std::thread> others;
  const unsigned wanted = unsigned(std::min<size_t>(threads, count));
  for (unsigned worker = 1; worker < wanted; worker++) {
    try {
      others.emplace_back(work, worker);
    } catch (const std::system_error&) {
      break;  // no thread to be had: the ones that run do all the tasks
    }
  }
  work(0);
  for (std::thread& t : others) t.join();
  if (failure) std::rethrow_exception(failure);
}

// Splits [0, n) into `pieces` nearly equal ranges; piece i is [range_start(n, pieces, i), range_start(n, pieces, i + 1)).
inline size_t range_start(size_t n, size_t pieces, size_t i) { return size_t((unsigned __int128)(n) * i / pieces); }

template <class Fn>
void parallel_ranges(unsigned threads, size_t n, const Cancellation& cancel, Fn&& fn) {
  const size_t pieces = threads == 1 ? 1 : std::min<size_t>(n / 256 + 1, size_t(threads) * 4);
  parallel_tasks(threads, pieces, cancel,
                 [&](size_t i, unsigned) { fn(range_start(n, pieces, i), range_start(n, pieces, i + 1)); });
}

}  // namespace verinfer
