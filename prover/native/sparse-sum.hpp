// out[w] = Σ_k coefficient[ids[k]]·bases[rows[k]] over the entries k of column w: a sparse integer matrix times a vector
// of points, the whole work of a phase-2 key. Twin: sparseSums in prover/kernels.ts.
//
// Coefficients are interned and kept as signed-digit masks (c = plus − minus, no two neighbouring digits set), so a
// column is one double-and-add chain over its longest coefficient: entries of ±2^j cost one addition each.
#pragma once
#include "curve.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct SignedDigits {
  Limbs plus{}, minus{};
  unsigned length = 0;

  // c canonical; taken as c or c − r, whichever is shorter.
  explicit SignedDigits(const Limbs& c) {
    const Limbs other = sub_limbs(FrModulus::p, c);
    const bool is_negative = less(other, c);
    const Limbs m = is_negative ? other : c;  // below 2^253, so 3m stays below 2^256
    const Limbs triple = add_limbs(add_limbs(m, m), m);
    for (int i = 0; i < 4; i++) {
      const uint64_t p = triple[i] & ~m[i], n = m[i] & ~triple[i];
      // shifted right by one, across limbs
      const uint64_t p1 = i < 3 ? triple[i + 1] & ~m[i + 1] : 0, n1 = i < 3 ? m[i + 1] & ~triple[i + 1] : 0;
      plus[i] = (p >> 1) | (p1 << 63);
      minus[i] = (n >> 1) | (n1 << 63);
    }
    if (is_negative) std::swap(plus, minus);
    for (unsigned bit = 256; bit-- > 0 && length == 0;) {
      if (((plus[bit / 64] | minus[bit / 64]) >> (bit % 64)) & 1) length = bit + 1;
    }
  }
};

template <class F>
void sparse_sums(const Affine<F>* bases, const uint32_t* starts, const uint32_t* rows, const uint32_t* ids,
                 const std::vector<SignedDigits>& coefficients, Affine<F>* out, size_t columns, unsigned threads,
                 const Cancellation& cancel) {
  const size_t batch = 128;
  parallel_tasks(threads, (columns + batch - 1) / batch, cancel, [&](size_t task, unsigned) {
    const size_t from = task * batch, count = std::min(batch, columns - from);
    std::vector<Xyzz<F>> sums(count, Xyzz<F>::infinity());
    for (size_t w = 0; w < count; w++) {
      const uint32_t begin = starts[from + w], end = starts[from + w + 1];
      unsigned length = 0;
      for (uint32_t k = begin; k < end; k++) length = std::max(length, coefficients[ids[k]].length);
      Xyzz<F>& sum = sums[w];
      for (unsigned bit = length; bit-- > 0;) {
        sum = sum.doubled();
        for (uint32_t k = begin; k < end; k++) {
          const SignedDigits& c = coefficients[ids[k]];
          if ((c.plus[bit / 64] >> (bit % 64)) & 1) sum += bases[rows[k]];
          else if ((c.minus[bit / 64] >> (bit % 64)) & 1) sum += -bases[rows[k]];
        }
      }
    }
    batch_affine(sums.data(), out + from, count);
  });
}

// Σ scalars[i]·points[i], canonical scalars below 2^bits: plain buckets. For checks, not for proofs (msm.hpp).
template <class F>
Affine<F> weighted_sum(const Affine<F>* points, const Limbs* scalars, size_t count, unsigned bits, unsigned threads,
                       const Cancellation& cancel) {
  unsigned c = 2;
  while (c < 12 && (size_t(1) << (c + 4)) < count) c++;
  const unsigned windows = (bits + c - 1) / c;
  std::vector<Xyzz<F>> sums(windows, Xyzz<F>::infinity());
  parallel_tasks(threads, windows, cancel, [&](size_t w, unsigned) {
    std::vector<Xyzz<F>> buckets(size_t(1) << c, Xyzz<F>::infinity());
    for (size_t i = 0; i < count; i++) {
      const unsigned at = unsigned(w) * c, word = at / 64, shift = at % 64;
      uint64_t digit = scalars[i][word] >> shift;
      if (shift + c > 64 && word < 3) digit |= scalars[i][word + 1] << (64 - shift);
      digit &= (uint64_t(1) << c) - 1;
      if (digit != 0) buckets[digit] += points[i];
    }
    Xyzz<F> running = Xyzz<F>::infinity();
    for (size_t d = buckets.size() - 1; d > 0; d--) {
      running += buckets[d];
      sums[w] += running;
    }
  });
  Xyzz<F> total = Xyzz<F>::infinity();
  for (unsigned w = windows; w-- > 0;) {
    for (unsigned k = 0; k < c; k++) total = total.doubled();
    total += sums[w];
  }
  return total.affine();
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
