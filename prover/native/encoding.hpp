// Points between the form of files (Montgomery, little-endian) and the forms that ceremonies hash: big-endian
// canonical, G2 with c1 before c0, infinity all zero; compressed keeps x and marks infinity with 0x40 and a y above (q − 1)/2 with 0x80
// (for G2 the sign of y.c1, or of y.c0 where y.c1 is zero). Twin: prover/kernels.ts.
#pragma once
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

inline void put_big_endian(const Fq& v, uint8_t* out) {
  const Limbs c = v.canonical();
  for (int i = 0; i < 4; i++)
    for (int b = 0; b < 8; b++) out[8 * i + b] = uint8_t(c[3 - i] >> (56 - 8 * b));
}
inline void put_big_endian(const Fq2& v, uint8_t* out) {
  put_big_endian(v.c1, out);
  put_big_endian(v.c0, out + 32);
}

// Above (q − 1)/2.
inline bool is_upper(const Fq& v) {
  const Limbs c = v.canonical();
  return less(sub_limbs(FqModulus::p, c), c);
}
inline bool is_upper(const Fq2& v) { return v.c1.is_zero() ? is_upper(v.c0) : is_upper(v.c1); }

template <class F>
void uncompressed(const Affine<F>& p, uint8_t* out) {
  std::memset(out, 0, 2 * sizeof(F));
  if (p.is_infinity()) return;
  put_big_endian(p.x, out);
  put_big_endian(p.y, out + sizeof(F));
}

template <class F>
void compressed(const Affine<F>& p, uint8_t* out) {
  std::memset(out, 0, sizeof(F));
  if (p.is_infinity()) {
    out[0] = 0x40;
    return;
  }
  put_big_endian(p.x, out);
  if (is_upper(p.y)) out[0] |= 0x80;
}

inline bool is_reduced(const Fq& v) { return less(v.l, FqModulus::p); }
inline bool is_reduced(const Fq2& v) { return is_reduced(v.c0) && is_reduced(v.c1); }
inline bool has_order_r(const G1Affine&) { return true; }
inline bool has_order_r(const G2Affine& p) { return in_subgroup(G2::from(p)); }

// Canonical coordinates, and infinity or a point of the group.
template <class F>
bool is_member(const Affine<F>& p) {
  if (!is_reduced(p.x) || !is_reduced(p.y)) return false;
  return p.is_infinity() || (on_curve(p) && has_order_r(p));
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
