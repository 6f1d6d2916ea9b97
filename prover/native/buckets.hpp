// Bucket sums and their weighted reduction, the two halves of Pippenger's method, with batch-affine additions.
//
// Accumulation: entries arrive sorted by bucket. Chunks of entries small enough for the L2 cache are summed as trees:
// every round adds neighbours inside each bucket, all pairs of the round sharing one inversion. A bucket cut by a
// chunk border leaves several partial sums, which are summed by running the same procedure on the partials.
//
// Reduction of sum (j+1)·B_j: the buckets are laid out as columns of `rows` consecutive buckets, and the usual running
// sums go down all columns in step, so that every step is a batch of independent additions.
#pragma once
#include <algorithm>

#include "lanes.hpp"
#include "secret.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class L>
class Buckets {
 public:
  using F = typename L::Coordinate;
  using Point = typename L::Point;

  static constexpr size_t chunk_entries = 4096;

  // Sums table[entries[k]] into bucket j for offsets[j] <= k < offsets[j + 1]. Referenced points are not infinity.
  void accumulate(const Point* table, const uint32_t* entries, const uint32_t* offsets, size_t bucket_count) {
    sums_.resize(bucket_count);
    occupied_.assign(bucket_count, 0);
    partials_.clear();
    owners_.clear();
    size_t bucket = 0, done = 0;  // the next entry to take is offsets[bucket] + done
    const auto next_segment = [&](size_t room, size_t& owner, const uint32_t*& first) -> size_t {
      while (bucket < bucket_count && offsets[bucket] + done == offsets[bucket + 1]) bucket++, done = 0;
      if (bucket == bucket_count) return 0;
      const size_t left = offsets[bucket + 1] - offsets[bucket] - done, take = std::min(left, room);
      owner = bucket;
      first = entries + offsets[bucket] + done;
      done += take;
      return take;
    };
    while (sum_chunk(table, next_segment)) {
    }
    merge_partials();
  }

  // sum (j+1)·B_j and sum B_j over the buckets last accumulated.
  void reduce(Xyzz<F>& weighted, Xyzz<F>& plain) {
    weighted = plain = Xyzz<F>::infinity();
    const size_t count = sums_.size();
    size_t columns = 1;
    if (count >= 2048) columns = std::min<size_t>(512, count / 16);
    if (columns == 1) {
      for (size_t j = count; j-- > 0;) {
        if (occupied_[j]) plain += L::from_table(sums_[j]);
        weighted += plain;
      }
      return;
    }
    const size_t rows = (count + columns - 1) / columns;
    // sums_ grows by two points a column: the running sum and the sum of running sums
    const size_t running = count, total = count + columns;
    sums_.resize(count + 2 * columns);
    occupied_.resize(count + 2 * columns, 0);
    for (size_t row = rows; row-- > 0;) {
      add_step(columns, [&](size_t c) { return running + c; },
               [&](size_t c) { return c * rows + row < count ? c * rows + row : SIZE_MAX; });
      add_step(columns, [&](size_t c) { return total + c; }, [&](size_t c) { return running + c; });
    }
    Xyzz<F> columns_below = Xyzz<F>::infinity();  // sum c·running_c
    for (size_t c = columns; c-- > 0;) {
      if (occupied_[total + c]) weighted += L::from_table(sums_[total + c]);
      if (occupied_[running + c]) plain += L::from_table(sums_[running + c]);
      if (c > 0) columns_below += plain;
    }
    weighted += columns_below.times({rows, 0, 0, 0});
  }

 private:
  // all of it tells something of the scalars
  SecretVector<Point> sums_;
  SecretVector<uint8_t> occupied_;
  SecretVector<Point> partials_;
  SecretVector<uint32_t> owners_;
  SecretVector<Point> chunk_;
  SecretVector<uint32_t> refs_, targets_, lengths_, segment_owner_;
  typename L::Scratch scratch_;

  // One batch; afterwards `infinite` says whether infinity may stand among the results.
  void add_batch(const Point* base, Point* out, bool& infinite) {
    if (targets_.empty()) return;
    if (infinite || !L::add(base, refs_.data(), targets_.size(), out, targets_.data(), scratch_))
      infinite |= add_carefully<L>(base, refs_.data(), targets_.size(), out, targets_.data());
  }

  template <class NextSegment>
  bool sum_chunk(const Point* table, NextSegment& next_segment) {
    refs_.clear(), targets_.clear(), lengths_.clear(), segment_owner_.clear();
    if (chunk_.size() < chunk_entries) chunk_.resize(chunk_entries);
    size_t taken = 0, used = 0, owner = 0;
    const uint32_t* first = nullptr;
    while (taken < chunk_entries) {
      const size_t length = next_segment(chunk_entries - taken, owner, first);
      if (length == 0) break;
      taken += length;
      for (size_t k = 0; k + 1 < length; k += 2) {
        refs_.push_back(first[k]), refs_.push_back(first[k + 1]);
        targets_.push_back(uint32_t(used++));
      }
      if (length & 1) {
        const uint32_t ref = first[length - 1];
        const Point& p = table[ref & ~negate_bit];
        chunk_[used++] = ref & negate_bit ? L::negated(p) : p;
      }
      lengths_.push_back(uint32_t((length + 1) / 2));
      segment_owner_.push_back(uint32_t(owner));
    }
    if (taken == 0) return false;
    bool infinite = false;
    add_batch(table, chunk_.data(), infinite);
    // in place: survivors of a segment stand `stride` apart
    for (size_t stride = 1;; stride *= 2) {
      refs_.clear(), targets_.clear();
      size_t start = 0;
      for (const uint32_t length : lengths_) {
        for (size_t k = 0; k + stride < length; k += 2 * stride) {
          refs_.push_back(uint32_t(start + k)), refs_.push_back(uint32_t(start + k + stride));
          targets_.push_back(uint32_t(start + k));
        }
        start += length;
      }
      if (targets_.empty()) break;
      add_batch(chunk_.data(), chunk_.data(), infinite);
    }
    size_t start = 0;
    for (size_t s = 0; s < lengths_.size(); start += lengths_[s++]) {
      if (infinite && L::is_infinity(chunk_[start])) continue;
      partials_.push_back(chunk_[start]);
      owners_.push_back(segment_owner_[s]);
    }
    return true;
  }

  // Partial sums arrive in bucket order; those of one bucket are summed until one is left.
  void merge_partials() {
    for (;;) {
      SecretVector<uint32_t> repeated;  // indices of partials whose bucket has several
      for (size_t i = 0; i < owners_.size(); i++) {
        const bool before = i > 0 && owners_[i - 1] == owners_[i];
        const bool after = i + 1 < owners_.size() && owners_[i + 1] == owners_[i];
        if (before || after) {
          repeated.push_back(uint32_t(i));
        } else {
          sums_[owners_[i]] = partials_[i];
          occupied_[owners_[i]] = 1;
        }
      }
      if (repeated.empty()) return;
      const SecretVector<Point> points = std::move(partials_);
      const SecretVector<uint32_t> owners = std::move(owners_);
      partials_.clear(), owners_.clear();
      size_t at = 0;
      const auto next_segment = [&](size_t room, size_t& owner, const uint32_t*& first) -> size_t {
        if (at == repeated.size()) return 0;
        owner = owners[repeated[at]];
        first = &repeated[at];
        size_t length = 0;
        while (at < repeated.size() && length < room && owners[repeated[at]] == owner) length++, at++;
        return length;
      };
      while (sum_chunk(points.data(), next_segment)) {
      }
    }
  }

  // sums_[into(c)] += sums_[from(c)] for every column c.
  template <class Into, class From>
  void add_step(size_t columns, Into into, From from) {
    refs_.clear(), targets_.clear();
    for (size_t c = 0; c < columns; c++) {
      const size_t source = from(c), target = into(c);
      if (source == SIZE_MAX || !occupied_[source]) continue;
      if (!occupied_[target]) {
        sums_[target] = sums_[source];
        occupied_[target] = 1;
        continue;
      }
      refs_.push_back(uint32_t(target)), refs_.push_back(uint32_t(source));
      targets_.push_back(uint32_t(target));
    }
    bool infinite = false;
    add_batch(sums_.data(), sums_.data(), infinite);
    if (!infinite) return;
    for (const uint32_t t : targets_) occupied_[t] = !L::is_infinity(sums_[t]);
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
