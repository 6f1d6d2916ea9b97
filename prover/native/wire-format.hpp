// Points as bytes, as prover/codec.ts writes them: big-endian coordinates, c1 before c0.
#pragma once
#include "backend.hpp"
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

inline void put(Bytes& out, const Limbs& v) {
  for (int i = 3; i >= 0; i--)
    for (int b = 56; b >= 0; b -= 8) out.push_back(uint8_t(v[i] >> b));
}
inline void put(Bytes& out, const Fq& v) { put(out, v.canonical()); }
inline void put(Bytes& out, const Fq2& v) { put(out, v.c1), put(out, v.c0); }
template <class F>
void put(Bytes& out, const Affine<F>& p) { put(out, p.x), put(out, p.y); }

inline Limbs get_limbs(const uint8_t* p) {
  Limbs v{};
  for (int i = 0; i < 32; i++) v[3 - i / 8] = (v[3 - i / 8] << 8) | p[i];
  return v;
}
// false: not below the modulus
template <class M>
bool get(const uint8_t*& p, Field<M>& v) {
  const Limbs l = get_limbs(p);
  p += 32;
  if (!less(l, M::p)) return false;
  v = Field<M>::from_canonical(l);
  return true;
}
inline bool get(const uint8_t*& p, Fq2& v) { return get(p, v.c1) && get(p, v.c0); }
// A finite point of the curve; G2 points also of order r.
inline bool get(const uint8_t*& p, G1Affine& v) { return get(p, v.x) && get(p, v.y) && !v.is_infinity() && on_curve(v); }
inline bool get(const uint8_t*& p, G2Affine& v) {
  return get(p, v.x) && get(p, v.y) && !v.is_infinity() && on_curve(v) && in_subgroup(G2::from(v));
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
