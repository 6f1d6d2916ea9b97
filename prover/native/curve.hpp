// BN254 groups. G1: y^2 = x^3 + 3 over Fq, cofactor 1. G2: y^2 = x^3 + 3/(9+u) over Fq2 (D-twist), cofactor 2q - r.
//
// Affine points are what files hold; (0, 0), on neither curve, stands for infinity. Sums are accumulated in XYZZ
// coordinates (x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2; infinity has ZZ = 0): EFD "shortw/xyzz", a = 0.
#pragma once
#include "field.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class F>
struct Affine {
  F x, y;

  static constexpr Affine infinity() { return {F::zero(), F::zero()}; }
  bool is_infinity() const { return x.is_zero() && y.is_zero(); }
  Affine operator-() const { return {x, -y}; }
  bool operator==(const Affine& o) const { return x == o.x && y == o.y; }
};

template <class F>
struct Xyzz {
  F x, y, zz, zzz;

  static constexpr Xyzz infinity() { return {F::zero(), F::zero(), F::zero(), F::zero()}; }
  static Xyzz from(const Affine<F>& a) {
    return a.is_infinity() ? infinity() : Xyzz{a.x, a.y, F::one(), F::one()};
  }
  bool is_infinity() const { return zz.is_zero(); }
  Xyzz operator-() const { return {x, -y, zz, zzz}; }

  // dbl-2008-s-1
  Xyzz doubled() const {
    if (is_infinity()) return *this;
    const F u = y.doubled(), v = u.square(), w = u * v, s = x * v;
    const F xx = x.square(), m = xx.doubled() + xx;
    const F x3 = m.square() - s.doubled();
    return {x3, m * (s - x3) - w * y, v * zz, w * zzz};
  }

  // add-2008-s
  Xyzz operator+(const Xyzz& o) const {
    if (is_infinity()) return o;
    if (o.is_infinity()) return *this;
    const F u1 = x * o.zz, u2 = o.x * zz, s1 = y * o.zzz, s2 = o.y * zzz;
    const F pp = u2 - u1, r = s2 - s1;
    if (pp.is_zero()) return r.is_zero() ? doubled() : infinity();
    const F p2 = pp.square(), p3 = p2 * pp, q = u1 * p2;
    const F x3 = r.square() - p3 - q.doubled();
    return {x3, r * (q - x3) - s1 * p3, zz * o.zz * p2, zzz * o.zzz * p3};
  }

  // madd-2008-s
  Xyzz operator+(const Affine<F>& o) const {
    if (o.is_infinity()) return *this;
    if (is_infinity()) return from(o);
    const F pp = o.x * zz - x, r = o.y * zzz - y;
    if (pp.is_zero()) return r.is_zero() ? doubled() : infinity();
    const F p2 = pp.square(), p3 = p2 * pp, q = x * p2;
    const F x3 = r.square() - p3 - q.doubled();
    return {x3, r * (q - x3) - y * p3, zz * p2, zzz * p3};
  }
  template <class P>
  Xyzz& operator+=(const P& o) { return *this = *this + o; }

  Affine<F> affine() const {
    if (is_infinity()) return Affine<F>::infinity();
    const F i = zzz.inverse(), zinv = i * zz;  // 1/Z = ZZ/ZZZ
    return {x * zinv.square(), y * i};
  }
  bool operator==(const Xyzz& o) const {
    if (is_infinity() || o.is_infinity()) return is_infinity() == o.is_infinity();
    return x * o.zz == o.x * zz && y * o.zzz == o.y * zzz;
  }

  // k·P for a canonical k; double and add, 4-bit windows. Time depends on k.
  Xyzz times(const Limbs& k) const {
    Xyzz table[16];
    table[0] = infinity();
    for (int i = 1; i < 16; i++) table[i] = table[i - 1] + *this;
    Xyzz out = infinity();
    for (int i = 63; i >= 0; i--) {
      for (int d = 0; d < 4; d++) out = out.doubled();
      const unsigned digit = (k[i / 16] >> (4 * (i % 16))) & 15;
      if (digit) out += table[digit];
    }
    return out;
  }
};

using G1Affine = Affine<Fq>;
using G2Affine = Affine<Fq2>;
using G1 = Xyzz<Fq>;
using G2 = Xyzz<Fq2>;

// Affine forms of many points with one inversion.
template <class F>
void batch_affine(const Xyzz<F>* in, Affine<F>* out, size_t count) {
  std::vector<F> inverse(count);
  for (size_t i = 0; i < count; i++) inverse[i] = in[i].zzz;
  batch_inverse(inverse.data(), count);
  for (size_t i = 0; i < count; i++) {
    if (in[i].is_infinity()) {
      out[i] = Affine<F>::infinity();
      continue;
    }
    const F zinv = inverse[i] * in[i].zz;
    out[i] = {in[i].x * zinv.square(), in[i].y * inverse[i]};
  }
}

// The coefficient b of the curve over F.
template <class F>
F curve_b();
template <>
inline Fq curve_b<Fq>() { return Fq::from_u64(3); }
template <>
inline Fq2 curve_b<Fq2>() {
  static const Fq2 b = Fq2{Fq::from_u64(9), Fq::one()}.inverse() * Fq::from_u64(3);
  return b;
}

// Infinity is not on the curve: callers decide whether it is allowed.
template <class F>
bool on_curve(const Affine<F>& p) { return p.y.square() == p.x.square() * p.x + curve_b<F>(); }

// The curve parameter x0 of BN254: r = 36 x0^4 + 36 x0^3 + 18 x0^2 + 6 x0 + 1.
constexpr uint64_t bn_x0 = 4965661367192848881ull;

// psi = twist ∘ Frobenius ∘ twist^-1: (conj(x)·ξ^((q-1)/3), conj(y)·ξ^((q-1)/2)), ξ = 9 + u.
struct Psi {
  Fq2 kx, ky;
  Psi() {
    const Fq2 xi{Fq::from_u64(9), Fq::one()};
    const Limbs q1 = sub_limbs(FqModulus::p, Limbs{1, 0, 0, 0});
    kx = power(xi, divided(q1, 3));
    ky = power(xi, divided(q1, 2));
  }
  G2 operator()(const G2& p) const {
    return {p.x.conjugate() * kx, p.y.conjugate() * ky, p.zz.conjugate(), p.zzz.conjugate()};
  }
  static const Psi& instance() {
    static const Psi psi;
    return psi;
  }
  static Limbs divided(const Limbs& a, uint64_t d) {
    Limbs out{};
    u128 rest = 0;
    for (int i = 3; i >= 0; i--) {
      rest = (rest << 64) | a[i];
      out[i] = uint64_t(rest / d);
      rest %= d;
    }
    return out;
  }
  static Fq2 power(const Fq2& base, const Limbs& e) {
    Fq2 out = Fq2::one();
    for (int i = 255; i >= 0; i--) {
      out = out.square();
      if ((e[i / 64] >> (i % 64)) & 1) out *= base;
    }
    return out;
  }
};

// Order-r test on the twist: (x0+1)P + psi(x0·P) + psi^2(x0·P) = psi^3(2·x0·P) (eprint 2022/348, section 4.3).
inline bool in_subgroup(const G2& p) {
  const Psi& psi = Psi::instance();
  const G2 xp = p.times({bn_x0, 0, 0, 0});
  const G2 psi1 = psi(xp), psi2 = psi(psi1), psi3 = psi(psi2.doubled());
  return xp + p + psi1 + psi2 == psi3;
}

inline G1Affine g1_generator() { return {Fq::from_u64(1), Fq::from_u64(2)}; }
inline G2Affine g2_generator() {
  const auto fq = [](uint64_t a, uint64_t b, uint64_t c, uint64_t d) { return Fq::from_canonical({d, c, b, a}); };
  return {{fq(0x1800deef121f1e76, 0x426a00665e5c4479, 0x674322d4f75edadd, 0x46debd5cd992f6ed),
           fq(0x198e9393920d483a, 0x7260bfb731fb5d25, 0xf1aa493335a9e712, 0x97e485b7aef312c2)},
          {fq(0x12c85ea5db8c6deb, 0x4aab71808dcb408f, 0xe3d1e7690c43d37b, 0x4ce6cc0166fa7daa),
           fq(0x090689d0585ff075, 0xec9e99ad690c3395, 0xbc4b313370b38ef3, 0x55acdadcd122975b)}};
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
