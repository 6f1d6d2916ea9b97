// Multi-scalar multiplication, sum k_i·P_i, for scalars as they are.
//
// Full-size scalars: signed windows of c bits. Adding K = sum 2^(c-1)·2^(cw) over all windows but the last once makes
// every digit plain bits minus 2^(c-1), with no carry to hand on; the last window stays unsigned and, as c·W >= 255
// and r < 0.76·2^254, below 2^(c-1) + 1. Windows are grouped: with a table of `slices` multiples 2^(c·sets·s)·P_i, window
// w = s·sets + g uses slice s and falls into bucket set g, so that slices divide the number of bucket sets.
//
// Small scalars (int32, mostly 0 and ±1): sign and magnitude, windows of 8 bits, zero digits never touched; the ±1
// entries are all in bucket 1 of window 0 and cost one batch-affine addition each.
//
// Work is cut into tasks that write their own result, so any number of threads gives the same point. Twin: prover/msm.ts.
#pragma once
#include <memory>

#include "buckets.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct WindowPlan {
  unsigned bits;     // c
  unsigned windows;  // W, c·W >= 255
  unsigned slices;   // table copies
  unsigned sets;     // bucket sets, ceil(W / slices)
};

// Cheapest plan by the count of batch-affine additions; a bucket costs two (reduction), or more while buckets are few.
inline WindowPlan plan_windows(size_t points, unsigned slices) {
  WindowPlan best{};
  double best_cost = 1e300;
  for (unsigned c = 3; c <= 20; c++) {
    const unsigned windows = (255 + c - 1) / c, sets = (windows + slices - 1) / slices;
    const double buckets = double(size_t(1) << (c - 1));
    const double cost = double(windows) * double(points) + sets * (buckets >= 2048 ? 2.6 * buckets : 4.0 * buckets + 50);
    if (cost < best_cost) best_cost = cost, best = {c, windows, slices, sets};
  }
  return best;
}

// Adds K to canonical scalars, in place.
class DigitSource {
 public:
  explicit DigitSource(const WindowPlan& plan) : bits_(plan.bits), last_(plan.windows - 1) {
    for (unsigned w = 0; w < last_; w++) {
      const unsigned at = plan.bits * w + plan.bits - 1;
      offset_[at / 64] |= uint64_t(1) << (at % 64);
    }
  }
  Limbs shifted(const Limbs& scalar) const { return add_limbs(scalar, offset_); }
  // Digit of window w, in [-2^(c-1), 2^(c-1)].
  int32_t digit(const Limbs& shifted, unsigned w) const {
    const unsigned at = bits_ * w, word = at / 64, shift = at % 64;
    uint64_t v = shifted[word] >> shift;
    if (shift + bits_ > 64 && word < 3) v |= shifted[word + 1] << (64 - shift);
    const uint64_t half = uint64_t(1) << (bits_ - 1);
    return int32_t(int64_t(v & (2 * half - 1)) - int64_t(w == last_ ? 0 : half));
  }

 private:
  unsigned bits_, last_;
  Limbs offset_{};
};

// Sorts entries by bucket: counts, then places. `each(emit)` calls emit(bucket, reference) for every entry, twice the same.
class BucketSort {
 public:
  std::vector<uint32_t> offsets, entries;

  template <class Each>
  void run(size_t buckets, Each&& each) {
    offsets.assign(buckets + 1, 0);
    each([&](size_t bucket, uint32_t) { offsets[bucket + 1]++; });
    for (size_t b = 0; b < buckets; b++) offsets[b + 1] += offsets[b];
    entries.resize(offsets[buckets]);
    cursor_.assign(offsets.begin(), offsets.end() - 1);
    each([&](size_t bucket, uint32_t ref) { entries[cursor_[bucket]++] = ref; });
  }

 private:
  std::vector<uint32_t> cursor_;
};

template <class L>
struct MsmWorker {
  BucketSort sort;
  Buckets<L> buckets;
};

// One bucket set over part of its buckets: an independent piece of a full-size MSM.
struct WindowTask {
  unsigned set;
  size_t low, high;  // buckets [low, high), bucket j holds digits ±(j + 1)
};

inline std::vector<WindowTask> window_tasks(const WindowPlan& plan, unsigned threads) {
  const size_t buckets = size_t(1) << (plan.bits - 1);
  std::vector<WindowTask> tasks;
  const unsigned whole = plan.sets / threads * threads;
  for (unsigned g = 0; g < plan.sets; g++) {
    const size_t pieces = g < whole ? 1 : std::min<size_t>(threads, buckets);
    for (size_t p = 0; p < pieces; p++)
      tasks.push_back({g, range_start(buckets, pieces, p), range_start(buckets, pieces, p + 1)});
  }
  return tasks;
}

// sum scalars[i]·P_i, P_i = table[ids ? ids[i] : i] (slice s at + s·stride). Scalars are already shifted by the
// DigitSource of the plan. No referenced point is infinity.
template <class L>
Xyzz<typename L::Coordinate> msm_full(const typename L::Point* table, size_t stride, const uint32_t* ids,
                                      const Limbs* shifted, size_t count, const WindowPlan& plan, unsigned threads,
                                      const Cancellation& cancel) {
  using F = typename L::Coordinate;
  if (count == 0) return Xyzz<F>::infinity();
  const DigitSource digits(plan);
  const std::vector<WindowTask> tasks = window_tasks(plan, threads);
  std::vector<Xyzz<F>> results(tasks.size());
  std::vector<std::unique_ptr<MsmWorker<L>>> workers(threads);
  parallel_tasks(threads, tasks.size(), cancel, [&](size_t t, unsigned w) {
    if (!workers[w]) workers[w] = std::make_unique<MsmWorker<L>>();
    MsmWorker<L>& worker = *workers[w];
    const WindowTask& task = tasks[t];
    const size_t span = task.high - task.low;
    worker.sort.run(span, [&](auto&& emit) {
      for (unsigned s = 0; s < plan.slices; s++) {
        const unsigned window = s * plan.sets + task.set;
        if (window >= plan.windows) break;
        const uint32_t base = uint32_t(s * stride);
        for (size_t i = 0; i < count; i++) {
          const int32_t d = digits.digit(shifted[i], window);
          const size_t bucket = size_t(d < 0 ? -d : d) - 1 - task.low;
          if (bucket >= span) continue;  // also digit 0, which wraps around
          emit(bucket, (base + (ids ? ids[i] : uint32_t(i))) | (d < 0 ? negate_bit : 0));
        }
      }
    });
    worker.buckets.accumulate(table, worker.sort.entries.data(), worker.sort.offsets.data(), span);
    Xyzz<F> weighted, plain;
    worker.buckets.reduce(weighted, plain);
    results[t] = task.low == 0 ? weighted : weighted + plain.times({task.low, 0, 0, 0});
  });
  Xyzz<F> sum = Xyzz<F>::infinity();
  for (unsigned g = plan.sets; g-- > 0;) {
    for (unsigned d = 0; d < plan.bits; d++) sum = sum.doubled();
    for (size_t t = 0; t < tasks.size(); t++)
      if (tasks[t].set == g) sum += results[t];
  }
  return sum;
}

// sum values[i]·table[i] for i in [low, high), skipping zeros and points whose bit in `absent` is set (null: none is).
template <class L>
Xyzz<typename L::Coordinate> msm_small(const typename L::Point* table, const uint64_t* absent, const int32_t* values,
                                       size_t low, size_t high, MsmWorker<L>& worker, const Cancellation& cancel) {
  using F = typename L::Coordinate;
  constexpr unsigned window_bits = 8;
  constexpr size_t buckets = (1u << window_bits) - 1;
  const auto magnitude = [&](size_t i) { return values[i] < 0 ? 0u - uint32_t(values[i]) : uint32_t(values[i]); };
  uint32_t all = 0;
  for (size_t i = low; i < high; i++) all |= magnitude(i);
  Xyzz<F> sums[4];
  unsigned windows = 0;
  for (; windows < 4 && (all >> (window_bits * windows)) != 0; windows++) {
    cancel.check();
    worker.sort.run(buckets, [&](auto&& emit) {
      for (size_t i = low; i < high; i++) {
        const uint32_t digit = (magnitude(i) >> (window_bits * windows)) & buckets;
        if (digit == 0 || (absent && (absent[i / 64] >> (i % 64)) & 1)) continue;
        emit(digit - 1, uint32_t(i) | (values[i] < 0 ? negate_bit : 0));
      }
    });
    worker.buckets.accumulate(table, worker.sort.entries.data(), worker.sort.offsets.data(), buckets);
    Xyzz<F> plain;
    worker.buckets.reduce(sums[windows], plain);
  }
  Xyzz<F> sum = Xyzz<F>::infinity();
  while (windows-- > 0) {
    for (unsigned d = 0; d < window_bits; d++) sum = sum.doubled();
    sum += sums[windows];
  }
  return sum;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
