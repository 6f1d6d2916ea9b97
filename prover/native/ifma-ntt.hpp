// The transforms of ntt.hpp on vectors of eight elements, for domains of at least 2^9 points.
//
// Element 8j + k stands in lane k of vector j, so levels of 16 and more combine whole vectors. The last three levels,
// inside a vector, are done on 64 elements at a time after transposing eight vectors; in `extend` the forward levels
// follow at once, and the second transposition restores the order. Elements keep whatever Montgomery factor they came
// with: transforms are linear, and only the twiddles must be in this field's own form (R = 2^260).
//
// Between passes values are below 5p and carried.
#pragma once
#include "ifma-field.hpp"
#include "secret.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

using IfmaR = Ifma<FrModulus>;

class IfmaTransform {
 public:
  static constexpr size_t smallest = 512;

  // `inverse` and `coset` as in Twiddles: level m holds m/2 values at [m/2, m).
  IfmaTransform(const std::vector<Fr>& inverse, const std::vector<Fr>& coset)
      : inverse_(wide(inverse)), coset_(wide(coset)) {
    for (size_t i = 1; i < 8; i++) small_inverse_[i] = splat(inverse[i]), small_coset_[i] = splat(coset[i]);
  }

  void extend(Fr* const* polynomials, size_t count, size_t n, unsigned threads, const Cancellation& cancel) const {
    const size_t vectors = n / 8, quarter = vectors / 4, pieces = 4 * threads;
    SecretVector<IfmaR> work(vectors);  // one polynomial after another, all threads on each
    const auto shared = [&](auto&& pass) {
      parallel_tasks(threads, pieces, cancel, [&](size_t i, unsigned) {
        pass(range_start(quarter, pieces, i), range_start(quarter, pieces, i + 1));
      });
    };
    for (size_t p = 0; p < count; p++) {
      shared([&](size_t low, size_t high) { inverse_pass(work.data(), polynomials[p], vectors, low, high); });
      parallel_tasks(threads, 4, cancel, [&](size_t i, unsigned) { block(work.data() + i * quarter, quarter, true); });
      shared([&](size_t low, size_t high) { forward_pass(work.data(), polynomials[p], vectors, low, high); });
    }
  }

  // Bit-reversed coefficients, n times too large.
  void inverse(Fr* a, size_t n) const {
    SecretVector<IfmaR> work(n / 8);
    inverse_pass(work.data(), a, n / 8, 0, n / 32);
    for (size_t q = 0; q < 4; q++) block(work.data() + q * (n / 32), n / 32, false);
    for (size_t j = 0; j < n / 8; j++) store(work[j], a + 8 * j);
  }

 private:
  std::vector<IfmaR> inverse_, coset_;  // level m >= 16 at [m/16, m/8)
  IfmaR small_inverse_[8], small_coset_[8];  // levels 2, 4, 8 at [m/2, m), every lane the same

  static Fr in_wide_form(const Fr& v) {
    Fr x = v;
    for (int i = 0; i < 4; i++) x = x.doubled();
    return {x.reduced()};
  }
  static IfmaR splat(const Fr& v) { return IfmaR::splat(to_wide(in_wide_form(v).l)); }
  static std::vector<IfmaR> wide(const std::vector<Fr>& table) {
    std::vector<IfmaR> out(table.size() / 8);
    for (size_t j = 1; j < out.size(); j++) {
      Fr lane[8];
      for (size_t k = 0; k < 8; k++) lane[k] = in_wide_form(table[8 * j + k]);
      out[j] = load(lane);
    }
    return out;
  }

  // Eight consecutive elements, four words each, to limbs.
  static IfmaR load(const Fr* p) {
    const auto* w = reinterpret_cast<const uint64_t*>(p);
    const __m512i even = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13), odd = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i z0 = _mm512_loadu_si512(w), z1 = _mm512_loadu_si512(w + 8), z2 = _mm512_loadu_si512(w + 16),
                  z3 = _mm512_loadu_si512(w + 24);
    const __m512i a = _mm512_permutex2var_epi64(z0, even, z1), b = _mm512_permutex2var_epi64(z2, even, z3);
    const __m512i c = _mm512_permutex2var_epi64(z0, odd, z1), d = _mm512_permutex2var_epi64(z2, odd, z3);
    const __m512i columns[4] = {_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xee),
                                _mm512_shuffle_i64x2(c, d, 0x44), _mm512_shuffle_i64x2(c, d, 0xee)};
    return IfmaR::from_words(columns);
  }
  static void store(const IfmaR& v, Fr* p) {
    __m512i c[4];
    below_2p(v).to_words(c);
    auto* w = reinterpret_cast<uint64_t*>(p);
    const __m512i first = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13), second = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = _mm512_shuffle_i64x2(c[0], c[1], 0x44), b = _mm512_shuffle_i64x2(c[2], c[3], 0x44);
    const __m512i d = _mm512_shuffle_i64x2(c[0], c[1], 0xee), e = _mm512_shuffle_i64x2(c[2], c[3], 0xee);
    _mm512_storeu_si512(w, _mm512_permutex2var_epi64(a, first, b));
    _mm512_storeu_si512(w + 8, _mm512_permutex2var_epi64(a, second, b));
    _mm512_storeu_si512(w + 16, _mm512_permutex2var_epi64(d, first, e));
    _mm512_storeu_si512(w + 24, _mm512_permutex2var_epi64(d, second, e));
  }

  // Exactly below 2p, from below 5p.
  static IfmaR below_2p(const IfmaR& v) {
    const IfmaR x = v.less_multiple(IfmaR::p4).less_multiple(IfmaR::p2).carried();
    const IfmaR y = x.minus(IfmaR::splat(IfmaR::p2)).carried();
    const __mmask8 negative = _mm512_movepi64_mask(y.l[4]);
    IfmaR out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_mask_mov_epi64(y.l[i], negative, x.l[i]);
    return out;
  }

  static constexpr Wide p8 = wide_multiple(FrModulus::p, 8), p10 = wide_multiple(FrModulus::p, 10);

  // Two levels of decimation in frequency on four values; the twiddles belong to (0, 2), (1, 3) and both inner pairs.
  __attribute__((always_inline)) static void inverse_step(IfmaR& a0, IfmaR& a1, IfmaR& a2, IfmaR& a3, const IfmaR& w0,
                                                          const IfmaR& w1, const IfmaR& w) {
    const IfmaR s0 = a0.plus(a2), s1 = a1.plus(a3);                           // < 10p
    const IfmaR d0 = a0.plus(IfmaR::p5).minus(a2).carried().times(w0);        // < 1.2p
    const IfmaR d1 = a1.plus(IfmaR::p5).minus(a3).carried().times(w1);
    a0 = s0.plus(s1).less_multiple(p8).less_multiple(p8).less_multiple(IfmaR::p4).carried();  // < 20p to < 4.1p
    a1 = s0.plus(p10).minus(s1).carried().times(w);
    a2 = d0.plus(d1).carried();
    a3 = d0.plus(IfmaR::p2).minus(d1).carried().times(w);
  }
  // Two levels of decimation in time.
  __attribute__((always_inline)) static void forward_step(IfmaR& a0, IfmaR& a1, IfmaR& a2, IfmaR& a3, const IfmaR& w0,
                                                          const IfmaR& w1, const IfmaR& w) {
    const IfmaR t1 = a1.times(w), t3 = a3.times(w);  // < 1.1p
    const IfmaR s0 = a0.plus(t1), d0 = a0.plus(IfmaR::p2).minus(t1);
    const IfmaR s1 = a2.plus(t3).carried().times(w0), d1 = a2.plus(IfmaR::p2).minus(t3).carried().times(w1);
    a0 = s0.plus(s1).less_multiple(IfmaR::p4).carried();  // < 9p to < 5p, here and below
    a1 = d0.plus(d1).less_multiple(IfmaR::p4).carried();
    a2 = s0.plus(IfmaR::p2).minus(s1).less_multiple(IfmaR::p4).carried();
    a3 = d0.plus(IfmaR::p2).minus(d1).less_multiple(IfmaR::p4).carried();
  }
  // One level, where the number of levels is odd.
  __attribute__((always_inline)) static void inverse_single(IfmaR& a, IfmaR& b, const IfmaR& w) {
    const IfmaR s = a.plus(b).less_multiple(p8).less_multiple(IfmaR::p4).carried();
    b = a.plus(IfmaR::p5).minus(b).carried().times(w);
    a = s;
  }
  __attribute__((always_inline)) static void forward_single(IfmaR& a, IfmaR& b, const IfmaR& w) {
    const IfmaR t = b.times(w);
    b = a.plus(IfmaR::p2).minus(t).less_multiple(IfmaR::p4).carried();
    a = a.plus(t).less_multiple(IfmaR::p4).carried();
  }

  // The outermost passes read and write plain elements; `m` counts vectors.
  void inverse_pass(IfmaR* a, const Fr* from, size_t m, size_t low, size_t high) const {
    const size_t q = m / 4;
    for (size_t i = low; i < high; i++) {
      IfmaR a0 = load(from + 8 * i), a1 = load(from + 8 * (i + q)), a2 = load(from + 8 * (i + 2 * q)),
            a3 = load(from + 8 * (i + 3 * q));
      inverse_step(a0, a1, a2, a3, inverse_[m / 2 + i], inverse_[m / 2 + i + q], inverse_[q + i]);
      a[i] = a0, a[i + q] = a1, a[i + 2 * q] = a2, a[i + 3 * q] = a3;
    }
  }
  void forward_pass(const IfmaR* a, Fr* to, size_t m, size_t low, size_t high) const {
    const size_t q = m / 4;
    for (size_t i = low; i < high; i++) {
      IfmaR a0 = a[i], a1 = a[i + q], a2 = a[i + 2 * q], a3 = a[i + 3 * q];
      forward_step(a0, a1, a2, a3, coset_[m / 2 + i], coset_[m / 2 + i + q], coset_[q + i]);
      store(a0, to + 8 * i), store(a1, to + 8 * (i + q)), store(a2, to + 8 * (i + 2 * q)), store(a3, to + 8 * (i + 3 * q));
    }
  }

  void block(IfmaR* a, size_t m, bool forward) const {
    if (m == 8) return innermost(a, forward);
    if (m == 16) {
      for (size_t i = 0; i < 8; i++) inverse_single(a[i], a[i + 8], inverse_[8 + i]);
      innermost(a, forward), innermost(a + 8, forward);
      if (forward)
        for (size_t i = 0; i < 8; i++) forward_single(a[i], a[i + 8], coset_[8 + i]);
      return;
    }
    const size_t q = m / 4;
    for (size_t i = 0; i < q; i++)
      inverse_step(a[i], a[i + q], a[i + 2 * q], a[i + 3 * q], inverse_[m / 2 + i], inverse_[m / 2 + i + q],
                   inverse_[q + i]);
    for (size_t i = 0; i < 4; i++) block(a + i * q, q, forward);
    if (!forward) return;
    for (size_t i = 0; i < q; i++)
      forward_step(a[i], a[i + q], a[i + 2 * q], a[i + 3 * q], coset_[m / 2 + i], coset_[m / 2 + i + q], coset_[q + i]);
  }

  // 64 elements: three levels across vectors, three across lanes.
  void innermost(IfmaR* a, bool forward) const {
    for (size_t i = 0; i < 2; i++)
      inverse_step(a[i], a[i + 2], a[i + 4], a[i + 6], inverse_[4 + i], inverse_[6 + i], inverse_[2 + i]);
    for (size_t i = 0; i < 8; i += 2) inverse_single(a[i], a[i + 1], inverse_[1]);
    transpose(a);
    for (size_t i = 0; i < 2; i++)
      inverse_step(a[i], a[i + 2], a[i + 4], a[i + 6], small_inverse_[4 + i], small_inverse_[6 + i], small_inverse_[2 + i]);
    for (size_t i = 0; i < 8; i += 2) inverse_single(a[i], a[i + 1], small_inverse_[1]);
    if (forward) {
      for (size_t i = 0; i < 8; i += 2) forward_single(a[i], a[i + 1], small_coset_[1]);
      for (size_t i = 0; i < 2; i++)
        forward_step(a[i], a[i + 2], a[i + 4], a[i + 6], small_coset_[4 + i], small_coset_[6 + i], small_coset_[2 + i]);
    }
    transpose(a);
    if (!forward) return;
    for (size_t i = 0; i < 8; i += 2) forward_single(a[i], a[i + 1], coset_[1]);
    for (size_t i = 0; i < 2; i++)
      forward_step(a[i], a[i + 2], a[i + 4], a[i + 6], coset_[4 + i], coset_[6 + i], coset_[2 + i]);
  }

  static void transpose(IfmaR* a) {
    for (int limb = 0; limb < 5; limb++) {
      __m512i r[8];
      for (int i = 0; i < 8; i++) r[i] = a[i].l[limb];
      transpose8(r);
      for (int i = 0; i < 8; i++) a[i].l[limb] = r[i];
    }
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
