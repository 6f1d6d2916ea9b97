// Eight field elements at once with AVX-512 IFMA: five limbs of 52 bits, Montgomery form with R = 2^260.
//
// 2^260 is 84 times q, so products of values below 5.3q come out below 1.4q and most reductions can be left out. A
// bound stands beside every operation that needs one. Limbs that enter a product must be below 2^52 ("carried").
#pragma once
#include "curve.hpp"

#include <immintrin.h>


namespace verinfer {
inline namespace VERINFER_ISA {

using Wide = std::array<uint64_t, 5>;

constexpr Wide to_wide(const Limbs& v) {
  constexpr uint64_t mask = (uint64_t(1) << 52) - 1;
  return {v[0] & mask, ((v[0] >> 52) | (v[1] << 12)) & mask, ((v[1] >> 40) | (v[2] << 24)) & mask,
          ((v[2] >> 28) | (v[3] << 36)) & mask, v[3] >> 16};
}

// k·p for small k, in 52-bit limbs (the top one may hold more).
constexpr Wide wide_multiple(const Limbs& p, uint64_t k) {
  constexpr uint64_t mask = (uint64_t(1) << 52) - 1;
  Wide w = to_wide(p);
  uint64_t carry = 0;
  for (int i = 0; i < 5; i++) {
    const u128 t = u128(w[i]) * k + carry;
    w[i] = i < 4 ? uint64_t(t) & mask : uint64_t(t);
    carry = uint64_t(t >> 52);
  }
  return w;
}

template <class M>
struct Ifma {
  __m512i l[5];

  static constexpr uint64_t limb_mask = (uint64_t(1) << 52) - 1;
  static constexpr Wide p = to_wide(M::p);
  static constexpr uint64_t inv = negative_inverse(M::p[0]) & limb_mask;
  static constexpr Wide p2 = wide_multiple(M::p, 2), p3 = wide_multiple(M::p, 3), p4 = wide_multiple(M::p, 4),
                        p5 = wide_multiple(M::p, 5), p6 = wide_multiple(M::p, 6);

  static __m512i splat(uint64_t v) { return _mm512_set1_epi64(int64_t(v)); }
  static Ifma splat(const Wide& w) { return {{splat(w[0]), splat(w[1]), splat(w[2]), splat(w[3]), splat(w[4])}}; }

  // Brings signed limbs into [0, 2^52), the top limb aside; the value must not be negative.
  __attribute__((always_inline)) Ifma carried() const {
    const __m512i mask = splat(limb_mask);
    Ifma out;
    __m512i carry = l[0];
    for (int i = 0; i < 4; i++) {
      out.l[i] = _mm512_and_si512(carry, mask);
      carry = _mm512_add_epi64(l[i + 1], _mm512_srai_epi64(carry, 52));
    }
    out.l[4] = carry;
    return out;
  }
  __attribute__((always_inline)) Ifma plus(const Ifma& o) const {
    Ifma out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_add_epi64(l[i], o.l[i]);
    return out;
  }
  __attribute__((always_inline)) Ifma minus(const Ifma& o) const {
    Ifma out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_sub_epi64(l[i], o.l[i]);
    return out;
  }
  __attribute__((always_inline)) Ifma plus(const Wide& k) const {
    Ifma out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_add_epi64(l[i], splat(k[i]));
    return out;
  }
  // Subtracts k·p from the lanes whose top limb says that they are at least that; others stay. Limbs need not be
  // carried: the top limb is then off by less than 8, and values up to 16·2^208 above k·p may stay.
  __attribute__((always_inline)) Ifma less_multiple(const Wide& k) const {
    const __mmask8 above = _mm512_cmp_epi64_mask(l[4], splat(k[4] + 8), _MM_CMPINT_NLT);
    Ifma out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_mask_sub_epi64(l[i], above, l[i], splat(k[i]));
    return out;
  }

  // a·b / 2^260 mod p, below (ab/84 + 1)p. Carried in and out.
  __attribute__((always_inline)) Ifma times(const Ifma& o) const {
    const __m512i zero = _mm512_setzero_si512();
    __m512i t[6] = {zero, zero, zero, zero, zero, zero};
    for (int i = 0; i < 5; i++) {
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52lo_epu64(t[j], l[j], o.l[i]);
      const __m512i m = _mm512_madd52lo_epu64(zero, t[0], splat(inv));
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52lo_epu64(t[j], m, splat(p[j]));
      // the low limb is a multiple of 2^52 now; move down one limb
      const __m512i carry = _mm512_srli_epi64(t[0], 52);
      __m512i h[5];
      for (int j = 0; j < 5; j++) h[j] = _mm512_madd52hi_epu64(t[j + 1], l[j], o.l[i]);
      for (int j = 0; j < 5; j++) h[j] = _mm512_madd52hi_epu64(h[j], m, splat(p[j]));
      t[0] = _mm512_add_epi64(h[0], carry);
      for (int j = 1; j < 5; j++) t[j] = h[j];
      t[5] = zero;
    }
    return Ifma{{t[0], t[1], t[2], t[3], t[4]}}.carried();
  }
  __attribute__((always_inline)) Ifma squared() const { return times(*this); }

  // Four 64-bit words per lane to limbs and back; the value is below 2^256 and carried.
  __attribute__((always_inline)) static Ifma from_words(const __m512i* w) {
    const __m512i mask = splat(limb_mask);
    return {{_mm512_and_si512(w[0], mask), _mm512_and_si512(_mm512_shrdi_epi64(w[0], w[1], 52), mask),
             _mm512_and_si512(_mm512_shrdi_epi64(w[1], w[2], 40), mask),
             _mm512_and_si512(_mm512_shrdi_epi64(w[2], w[3], 28), mask), _mm512_srli_epi64(w[3], 16)}};
  }
  __attribute__((always_inline)) void to_words(__m512i* w) const {
    w[0] = _mm512_or_si512(l[0], _mm512_slli_epi64(l[1], 52));
    w[1] = _mm512_or_si512(_mm512_srli_epi64(l[1], 12), _mm512_slli_epi64(l[2], 40));
    w[2] = _mm512_or_si512(_mm512_srli_epi64(l[2], 24), _mm512_slli_epi64(l[3], 28));
    w[3] = _mm512_or_si512(_mm512_srli_epi64(l[3], 36), _mm512_slli_epi64(l[4], 16));
  }
};

// Rows become columns: out[j] lane i = in[i] lane j.
__attribute__((always_inline)) inline void transpose8(__m512i* r) {
  __m512i t[8], u[8];
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 2; k++) {
      u[4 * i + k] = _mm512_shuffle_i64x2(t[4 * i + k], t[4 * i + k + 2], 0x88);
      u[4 * i + k + 2] = _mm512_shuffle_i64x2(t[4 * i + k], t[4 * i + k + 2], 0xdd);
    }
  }
  for (int k = 0; k < 4; k++) {
    r[k] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0x88);
    r[k + 4] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0xdd);
  }
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
