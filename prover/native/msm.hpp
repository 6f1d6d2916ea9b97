// Multi-scalar multiplication, sum k_i·P_i, for scalars as they are.
//
// Full-size scalars: signed windows of c bits. Adding K = sum 2^(c-1)·2^(cw) over all windows but the last once makes
// every digit plain bits minus 2^(c-1), with no carry to hand on; the last window stays unsigned and, as c·W >= 255
// and r < 0.76·2^254, below 2^(c-1) + 1. Windows are grouped: with a table of `slices` multiples 2^(c·sets·s)·P_i, window
// w = s·sets + g uses slice s and falls into bucket set g, so that slices divide the number of bucket sets. Scalars below
// 2^b, b < 254, need only windows with c·W > b: their last digit is at most 2^(c-1) too.
//
// Small scalars (int32, mostly 0 and ±1): sign and magnitude, windows of 8 bits, zero digits never touched; the ±1
// entries are all in bucket 1 of window 0 and cost one batch-affine addition each.
//
// Work is cut into tasks that write their own result, so any number of threads gives the same point. Twin: prover/msm.ts.
#pragma once
#include <memory>

#include "buckets.hpp"
#include "secret.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct WindowPlan {
  unsigned bits;     // c
  unsigned windows;  // W, c·W > bits of a scalar
  unsigned slices;   // table copies
  unsigned sets;     // bucket sets, ceil(W / slices)
};

// Cheapest plan by the count of batch-affine additions for scalars below r, or below 2^scalar_bits; a bucket costs two
// (reduction), or more while buckets are few.
inline WindowPlan plan_windows(size_t points, unsigned slices, unsigned scalar_bits = 254) {
  WindowPlan best{};
  double best_cost = 1e300;
  for (unsigned c = 3; c <= 20; c++) {
    const unsigned windows = (scalar_bits + 1 + c - 1) / c, sets = (windows + slices - 1) / slices;
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
  // Calls emit(i, digit) for the scalars [low, high), digits of window w, in [-2^(c-1), 2^(c-1)].
  template <class Emit>
  void each(const Limbs* shifted, unsigned w, size_t low, size_t high, Emit&& emit) const {
    const unsigned at = bits_ * w, word = at / 64, shift = at % 64;
    const uint64_t mask = (uint64_t(1) << bits_) - 1;
    const int32_t half = w == last_ ? 0 : int32_t(1) << (bits_ - 1);
    if (shift + bits_ > 64 && word < 3) {
      for (size_t i = low; i < high; i++)
        emit(i, int32_t(((shifted[i][word] >> shift) | (shifted[i][word + 1] << (64 - shift))) & mask) - half);
    } else {
      for (size_t i = low; i < high; i++) emit(i, int32_t((shifted[i][word] >> shift) & mask) - half);
    }
  }

 private:
  unsigned bits_, last_;
  Limbs offset_{};
};

// Sorts entries by bucket: counts, then places. `each(emit)` calls emit(bucket, reference) for every entry, twice the same.
class BucketSort {
 public:
  SecretVector<uint32_t> offsets, entries;

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
  SecretVector<uint32_t> cursor_;
};

// The same for one bucket set on all threads: every thread counts, then places, its own range of points.
class SharedSort {
 public:
  SecretVector<uint32_t> offsets, entries;

  template <class Each>
  void run(size_t buckets, size_t points, unsigned threads, const Cancellation& cancel, Each&& each) {
    SecretVector<uint32_t> cursors(buckets * threads, 0);
    const auto pass = [&](auto&& visit) {
      parallel_tasks(threads, threads, cancel, [&](size_t t, unsigned) {
        uint32_t* cursor = cursors.data() + t * buckets;
        each(range_start(points, threads, t), range_start(points, threads, t + 1),
             [&](size_t bucket, uint32_t ref) { visit(cursor[bucket], ref); });
      });
    };
    pass([](uint32_t& cursor, uint32_t) { cursor++; });
    offsets.resize(buckets + 1);
    uint32_t at = 0;
    for (size_t b = 0; b < buckets; b++) {
      offsets[b] = at;
      for (unsigned t = 0; t < threads; t++) {
        const uint32_t own = cursors[t * buckets + b];
        cursors[t * buckets + b] = at;
        at += own;
      }
    }
    offsets[buckets] = at;
    entries.resize(at);
    pass([&](uint32_t& cursor, uint32_t ref) { entries[cursor++] = ref; });
  }

  // The bucket where part i of `parts` begins, parts having nearly as many entries each.
  size_t cut(size_t i, size_t parts) const {
    if (i == parts) return offsets.size() - 1;
    const uint32_t wanted = uint32_t(range_start(entries.size(), parts, i));
    return size_t(std::lower_bound(offsets.begin(), offsets.end() - 1, wanted) - offsets.begin());
  }
};

template <class L>
struct MsmWorker {
  BucketSort sort;
  Buckets<L> buckets;
};

// The entries of one bucket set: all its windows' digits of the points [low, high).
template <class Emit>
void set_entries(const DigitSource& digits, const WindowPlan& plan, unsigned set, size_t stride, const uint32_t* ids,
                 const Limbs* shifted, size_t low, size_t high, Emit&& emit) {
  for (unsigned s = 0; s < plan.slices; s++) {
    const unsigned window = s * plan.sets + set;
    if (window >= plan.windows) break;
    const uint32_t base = uint32_t(s * stride);
    digits.each(shifted, window, low, high, [&](size_t i, int32_t d) {
      if (d != 0) emit(size_t(d < 0 ? -d : d) - 1, (base + (ids ? ids[i] : uint32_t(i))) ^ (d < 0 ? negate_bit : 0));
    });
  }
}

// sum scalars[i]·P_i, P_i = table[ids ? ids[i] : i] (slice s at + s·stride); bit 31 of an id negates the point. Scalars are already shifted by the
// DigitSource of the plan. No referenced point is infinity.
template <class L>
Xyzz<typename L::Coordinate> msm_full(const typename L::Point* table, size_t stride, const uint32_t* ids,
                                      const Limbs* shifted, size_t count, const WindowPlan& plan, unsigned threads,
                                      const Cancellation& cancel) {
  using F = typename L::Coordinate;
  if (count == 0) return Xyzz<F>::infinity();
  const DigitSource digits(plan);
  const size_t buckets = size_t(1) << (plan.bits - 1);
  std::vector<Xyzz<F>> set_sums(plan.sets, Xyzz<F>::infinity());
  std::vector<std::unique_ptr<MsmWorker<L>>> workers(threads);
  const auto worker = [&](unsigned w) -> MsmWorker<L>& {
    if (!workers[w]) workers[w] = std::make_unique<MsmWorker<L>>();
    return *workers[w];
  };
  // as many whole sets as the threads share evenly …
  const unsigned whole = plan.sets / threads * threads;
  parallel_tasks(threads, whole, cancel, [&](size_t set, unsigned w) {
    BucketSort& sort = worker(w).sort;
    sort.run(buckets, [&](auto&& emit) {
      set_entries(digits, plan, unsigned(set), stride, ids, shifted, 0, count, emit);
    });
    Xyzz<F> plain;
    worker(w).buckets.accumulate(table, sort.entries.data(), sort.offsets.data(), buckets);
    worker(w).buckets.reduce(set_sums[set], plain);
  });
  // … and the others together: sorted by all threads, then cut where the entries are halved
  SharedSort sort;
  for (unsigned set = whole; set < plan.sets; set++) {
    sort.run(buckets, count, threads, cancel, [&](size_t low, size_t high, auto&& emit) {
      set_entries(digits, plan, set, stride, ids, shifted, low, high, emit);
    });
    std::vector<Xyzz<F>> parts(threads);
    parallel_tasks(threads, threads, cancel, [&](size_t t, unsigned w) {
      const size_t low = sort.cut(t, threads), high = sort.cut(t + 1, threads);
      Xyzz<F> plain;
      worker(w).buckets.accumulate(table, sort.entries.data(), sort.offsets.data() + low, high - low);
      worker(w).buckets.reduce(parts[t], plain);
      parts[t] += plain.times({low, 0, 0, 0});
    });
    for (const Xyzz<F>& part : parts) set_sums[set] += part;
  }
  Xyzz<F> sum = Xyzz<F>::infinity();
  for (unsigned g = plan.sets; g-- > 0;) {
    for (unsigned d = 0; d < plan.bits; d++) sum = sum.doubled();
    sum += set_sums[g];
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
