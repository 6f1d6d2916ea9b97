// A table of curve points from a key: read in pieces, checked, kept in the form the addition kernel wants.
#pragma once
#include "msm.hpp"
#include "secret.hpp"
#include "section-file.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

inline bool canonical_coordinate(const Fq& v) { return less(v.l, FqModulus::p); }
inline bool canonical_coordinate(const Fq2& v) { return canonical_coordinate(v.c0) && canonical_coordinate(v.c1); }
template <class F>
bool canonical_point(const Affine<F>& p) { return canonical_coordinate(p.x) && canonical_coordinate(p.y); }

template <class F>
struct Table {
  using L = Lanes<F>;
  using Element = typename L::Point;
  static_assert(sizeof(Element) == sizeof(Affine<F>));

  std::vector<Element> points;
  std::vector<uint64_t> absent;  // bit i: point i is infinity; empty when none is
  size_t count = 0;              // points of one slice

  Affine<F> plain(size_t i) const { return L::from_table(points[i]); }
  const uint64_t* absent_bits() const { return absent.empty() ? nullptr : absent.data(); }

  void read(const SectionFile& file, uint64_t offset, size_t n, const char* name, bool infinity_allowed, unsigned threads,
            const Cancellation& cancel) {
    count = n;
    points.resize(n);
    file.read(offset, points.data(), n * sizeof(Element));
    std::vector<uint64_t> bits((n + 63) / 64, 0);
    std::atomic<size_t> infinite{0};
    const size_t pieces = bits.size() < 64 ? 1 : std::min<size_t>(64, size_t(threads) * 8);  // of whole words of the bit field
    parallel_tasks(threads, pieces, cancel, [&](size_t piece, unsigned) {
      const size_t low = range_start(bits.size(), pieces, piece) * 64;
      const size_t high = std::min(n, range_start(bits.size(), pieces, piece + 1) * 64);
      size_t found = 0;
      for (size_t i = low; i < high; i++) {
        Affine<F> p;
        std::memcpy(&p, &points[i], sizeof p);
        if (!canonical_point(p)) file.refuse(name, "coordinates below q", "a larger one at " + std::to_string(i));
        if (p.is_infinity()) {
          if (!infinity_allowed) file.refuse(name, "without infinity", "infinity at " + std::to_string(i));
          bits[i / 64] |= uint64_t(1) << (i % 64);
          found++;
        } else if (!on_curve(p)) {
          file.refuse(name, "on the curve", "a point off it at " + std::to_string(i));
        }
        points[i] = L::to_table(p);
      }
      infinite += found;
    });
    if (infinite > 0) absent = std::move(bits);
  }

  // Appends the multiples 2^(bits·sets·s)·P, s = 1 … slices - 1: the table that WindowPlan asks for.
  void slice(const WindowPlan& plan, unsigned threads, const Cancellation& cancel) {
    if (plan.slices <= 1) return;
    points.resize(count * plan.slices);
    parallel_ranges(threads, count, cancel, [&](size_t low, size_t high) {
      typename L::Scratch scratch;
      constexpr size_t batch = 1024;
      for (size_t start = low; start < high; start += batch) {
        cancel.check();
        const size_t n = std::min(batch, high - start);
        std::vector<Element> current(points.begin() + long(start), points.begin() + long(start + n));
        for (unsigned s = 1; s < plan.slices; s++) {
          for (unsigned d = 0; d < plan.bits * plan.sets; d++) L::double_all(current.data(), n, scratch);
          // in the reduced form of a table's own points, which additions may negate
          for (size_t i = 0; i < n; i++) points[s * count + start + i] = L::to_table(L::from_table(current[i]));
        }
      }
    });
  }
};

// Every G2 point of the table lies in the subgroup of order r. The cofactor's smallest prime is 10,069, so a sum with
// random 14-bit weights catches a stray point with probability above 1 - 2^-13; five sums, above 1 - 2^-65.
inline void check_subgroup(const SectionFile& file, const Table<Fq2>& table, unsigned threads, const Cancellation& cancel) {
  const auto is_absent = [&](size_t i) { return !table.absent.empty() && (table.absent[i / 64] >> (i % 64)) & 1; };
  const auto refuse = [&] { file.refuse("B2", "points of order r", "a point outside the subgroup"); };
  if (table.count < 2048) {  // one by one
    parallel_ranges(threads, table.count, cancel, [&](size_t low, size_t high) {
      for (size_t i = low; i < high; i++)
        if (!is_absent(i) && !in_subgroup(G2::from(table.plain(i)))) refuse();
    });
    return;
  }
  constexpr unsigned rounds = 5, weight_bits = 14;
  constexpr size_t half = size_t(1) << (weight_bits - 1);
  std::vector<uint16_t> weights(table.count * rounds);
  random_bytes(weights.data(), weights.size() * sizeof(uint16_t));
  std::vector<std::unique_ptr<MsmWorker<Lanes<Fq2>>>> workers(threads);
  const unsigned pieces = threads > 1 ? 2 : 1;  // of the points, so that few threads share evenly
  std::vector<G2> sums(rounds * pieces);
  parallel_tasks(threads, rounds * pieces, cancel, [&](size_t t, unsigned w) {
    if (!workers[w]) workers[w] = std::make_unique<MsmWorker<Lanes<Fq2>>>();
    const size_t low = range_start(table.count, pieces, t % pieces), high = range_start(table.count, pieces, t % pieces + 1);
    const uint16_t* weight = weights.data() + (t / pieces) * table.count;
    workers[w]->sort.run(half, [&](auto&& emit) {
      for (size_t i = low; i < high; i++) {
        if (is_absent(i)) continue;
        const int d = int(weight[i] & (2 * half - 1)) - int(half);
        if (d != 0) emit(size_t(d < 0 ? -d : d) - 1, uint32_t(i) | (d < 0 ? negate_bit : 0));
      }
    });
    workers[w]->buckets.accumulate(table.points.data(), workers[w]->sort.entries.data(),
                                   workers[w]->sort.offsets.data(), half);
    G2 plain;
    workers[w]->buckets.reduce(sums[t], plain);
  });
  for (unsigned round = 0; round < rounds; round++) {
    G2 sum = G2::infinity();
    for (unsigned p = 0; p < pieces; p++) sum += sums[round * pieces + p];
    if (!in_subgroup(sum)) refuse();
  }
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
