// Number-theoretic transforms over Fr on domains of 2^k points, k <= 24, without bit reversal.
//
// The inverse transform runs by decimation in frequency (natural order in, bit-reversed out), the forward one by
// decimation in time (bit-reversed in, natural out). Forward twiddles come in two kinds: powers w^i, and the odd powers
// zeta^(2i+1) of a root of twice the order, which evaluate on the odd coset zeta·<w> with no separate shift. A prover
// needs only "values on the domain -> values on the odd coset", and `extend` does both transforms block by block:
// each block that fits the cache goes down and up before the next is touched.
//
// The factor 1/n is left out everywhere: callers fold it into a constant they multiply by anyway.
// Two levels are done per pass. Twin: prover/ntt.ts.
#pragma once
#include <memory>
#include <mutex>

#include "field.hpp"
#include "threads.hpp"
#ifdef VERINFER_IFMA
#include "ifma-ntt.hpp"
#endif

namespace verinfer {
inline namespace VERINFER_ISA {

constexpr unsigned max_log_domain = 24;

// A generator of the subgroup of order 2^k: 5^((r-1)/2^k), the roots snarkjs uses. k <= 28.
inline Fr root_of_unity(unsigned k) {
  Limbs e = sub_limbs(FrModulus::p, Limbs{1, 0, 0, 0});
  for (unsigned i = 0; i < k; i++)
    e = {(e[0] >> 1) | (e[1] << 63), (e[1] >> 1) | (e[2] << 63), (e[2] >> 1) | (e[3] << 63), e[3] >> 1};
  return Fr::from_u64(5).pow(e);
}

// Twiddles of all levels: level m = 2^j holds m/2 values at [m/2, m).
struct Twiddles {
  std::vector<Fr> inverse;  // w_m^-i
  std::vector<Fr> coset;    // zeta_2m^(2i+1)
  size_t size = 0;
#ifdef VERINFER_IFMA
  std::unique_ptr<const IfmaTransform> wide;
#endif

  explicit Twiddles(unsigned k) : inverse(size_t(1) << k), coset(size_t(1) << k) {
    for (unsigned j = 1; j <= k; j++) {
      const size_t half = size_t(1) << (j - 1);
      const Fr zeta = root_of_unity(j + 1), w = zeta.square(), w_inverse = w.inverse();
      Fr x = Fr::one(), y = zeta;
      for (size_t i = 0; i < half; i++, x *= w_inverse, y *= w) inverse[half + i] = x, coset[half + i] = y;
    }
    size = inverse.size();
#ifdef VERINFER_IFMA
    if (size >= IfmaTransform::smallest) {
      wide = std::make_unique<IfmaTransform>(inverse, coset);
      // the scalar code serves the small domains only
      inverse.resize(IfmaTransform::smallest), inverse.shrink_to_fit();
      coset.resize(IfmaTransform::smallest), coset.shrink_to_fit();
    }
#endif
  }

  // Shared by every key of the process; a larger table serves smaller domains.
  static std::shared_ptr<const Twiddles> get(unsigned k) {
    static std::mutex guard;
    static std::weak_ptr<const Twiddles> cached;
    const std::lock_guard<std::mutex> lock(guard);
    if (auto t = cached.lock(); t && t->size >= size_t(1) << k) return t;
    auto t = std::make_shared<const Twiddles>(k);
    cached = t;
    return t;
  }
};

// Two levels of decimation in frequency on a block of m >= 4 values, elements [low, high) of each quarter.
inline void inverse_pass(Fr* a, size_t m, const Fr* twiddles, size_t low, size_t high) {
  const size_t q = m / 4;
  const Fr *outer = twiddles + m / 2, *inner = twiddles + q;
  for (size_t i = low; i < high; i++) {
    const Fr a0 = a[i], a1 = a[i + q], a2 = a[i + 2 * q], a3 = a[i + 3 * q];
    const Fr s0 = a0 + a2, s1 = a1 + a3, d0 = (a0 - a2) * outer[i], d1 = (a1 - a3) * outer[i + q];
    a[i] = s0 + s1;
    a[i + q] = (s0 - s1) * inner[i];
    a[i + 2 * q] = d0 + d1;
    a[i + 3 * q] = (d0 - d1) * inner[i];
  }
}

// Two levels of decimation in time.
inline void forward_pass(Fr* a, size_t m, const Fr* twiddles, size_t low, size_t high) {
  const size_t q = m / 4;
  const Fr *outer = twiddles + m / 2, *inner = twiddles + q;
  for (size_t i = low; i < high; i++) {
    const Fr a0 = a[i], a1 = a[i + q] * inner[i], a2 = a[i + 2 * q], a3 = a[i + 3 * q] * inner[i];
    const Fr s0 = a0 + a1, d0 = a0 - a1, s1 = (a2 + a3) * outer[i], d1 = (a2 - a3) * outer[i + q];
    a[i] = s0 + s1;
    a[i + q] = d0 + d1;
    a[i + 2 * q] = s0 - s1;
    a[i + 3 * q] = d0 - d1;
  }
}

inline void inverse_block(Fr* a, size_t m, const Fr* twiddles) {
  if (m == 1) return;
  if (m == 2) {
    const Fr a0 = a[0], a1 = a[1];
    a[0] = a0 + a1, a[1] = a0 - a1;
    return;
  }
  inverse_pass(a, m, twiddles, 0, m / 4);
  for (size_t i = 0; i < 4; i++) inverse_block(a + i * (m / 4), m / 4, twiddles);
}

inline void forward_block(Fr* a, size_t m, const Fr* twiddles) {
  if (m == 1) return;
  if (m == 2) {
    const Fr a0 = a[0], a1 = a[1] * twiddles[1];
    a[0] = a0 + a1, a[1] = a0 - a1;
    return;
  }
  for (size_t i = 0; i < 4; i++) forward_block(a + i * (m / 4), m / 4, twiddles);
  forward_pass(a, m, twiddles, 0, m / 4);
}

// n times the coefficients, bit-reversed, from values on the domain; in place.
inline void inverse_transform(Fr* a, size_t n, const Twiddles& t) {
#ifdef VERINFER_IFMA
  if (n >= IfmaTransform::smallest) return t.wide->inverse(a, n);
#endif
  inverse_block(a, n, t.inverse.data());
}

inline void extend_block(Fr* a, size_t m, const Twiddles& t) {
  if (m <= 4096) {  // 128 KiB
    inverse_block(a, m, t.inverse.data());
    forward_block(a, m, t.coset.data());
    return;
  }
  inverse_pass(a, m, t.inverse.data(), 0, m / 4);
  for (size_t i = 0; i < 4; i++) extend_block(a + i * (m / 4), m / 4, t);
  forward_pass(a, m, t.coset.data(), 0, m / 4);
}

// n times the values on the odd coset of the polynomials of degree < n with the given values on the domain; in place.
inline void extend(Fr* const* polynomials, size_t count, size_t n, const Twiddles& t, unsigned threads,
                   const Cancellation& cancel) {
#ifdef VERINFER_IFMA
  if (n >= IfmaTransform::smallest) return t.wide->extend(polynomials, count, n, threads, cancel);
#endif
  if (n < 4096) {
    parallel_tasks(threads, count, cancel, [&](size_t p, unsigned) { extend_block(polynomials[p], n, t); });
    return;
  }
  // the two outermost passes are shared by all threads, the sixteen blocks between them are tasks
  const size_t pieces = 4 * threads, quarter = n / 4, block = n / 16;
  const auto outer = [&](auto pass, const Fr* twiddles) {
    parallel_tasks(threads, count * pieces, cancel, [&](size_t i, unsigned) {
      const size_t p = i / pieces, j = i % pieces;
      pass(polynomials[p], n, twiddles, range_start(quarter, pieces, j), range_start(quarter, pieces, j + 1));
    });
  };
  outer(inverse_pass, t.inverse.data());
  parallel_tasks(threads, count * 4, cancel, [&](size_t i, unsigned) {
    Fr* a = polynomials[i / 4] + (i % 4) * quarter;
    inverse_pass(a, quarter, t.inverse.data(), 0, block);
    for (size_t b = 0; b < 4; b++) extend_block(a + b * block, block, t);
    forward_pass(a, quarter, t.coset.data(), 0, block);
  });
  outer(forward_pass, t.coset.data());
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
