// The optimal ate pairing on BN254, as a product of pairings compared with one.
//
// Tower: Fq6 = Fq2[v]/(v^3 - xi), Fq12 = Fq6[w]/(w^2 - v), xi = 9 + u. Miller loop over 6·x0 + 2 with homogeneous
// projective steps (Costello, Lange, Naehrig, eprint 2009/615; D-twist); hard part of the final exponentiation by
// Fuentes-Castaneda, Knapp, Rodriguez-Henriquez (a fixed power of the reduced pairing, coprime to r).
#pragma once
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

inline Fq2 times_xi(const Fq2& a) {  // (9 + u)·a
  const Fq2 a8 = a.doubled().doubled().doubled() + a;
  return {a8.c0 - a.c1, a8.c1 + a.c0};
}

struct Fq6 {
  Fq2 c0, c1, c2;
  static Fq6 zero() { return {Fq2::zero(), Fq2::zero(), Fq2::zero()}; }
  static Fq6 one() { return {Fq2::one(), Fq2::zero(), Fq2::zero()}; }
  Fq6 operator+(const Fq6& o) const { return {c0 + o.c0, c1 + o.c1, c2 + o.c2}; }
  Fq6 operator-(const Fq6& o) const { return {c0 - o.c0, c1 - o.c1, c2 - o.c2}; }
  Fq6 operator-() const { return {-c0, -c1, -c2}; }
  Fq6 operator*(const Fq6& o) const {
    const Fq2 v0 = c0 * o.c0, v1 = c1 * o.c1, v2 = c2 * o.c2;
    return {v0 + times_xi((c1 + c2) * (o.c1 + o.c2) - v1 - v2), (c0 + c1) * (o.c0 + o.c1) - v0 - v1 + times_xi(v2),
            (c0 + c2) * (o.c0 + o.c2) - v0 - v2 + v1};
  }
  Fq6 times_v() const { return {times_xi(c2), c0, c1}; }
  // times (b0 + b1·v)
  Fq6 times_01(const Fq2& b0, const Fq2& b1) const {
    const Fq2 v0 = c0 * b0, v1 = c1 * b1;
    return {v0 + times_xi(c2 * b1), (c0 + c1) * (b0 + b1) - v0 - v1, c2 * b0 + v1};
  }
  Fq6 inverse() const {
    const Fq2 t0 = c0.square() - times_xi(c1 * c2), t1 = times_xi(c2.square()) - c0 * c1, t2 = c1.square() - c0 * c2;
    const Fq2 d = (c0 * t0 + times_xi(c2 * t1 + c1 * t2)).inverse();
    return {t0 * d, t1 * d, t2 * d};
  }
};

struct Fq12 {
  Fq6 c0, c1;
  static Fq12 one() { return {Fq6::one(), Fq6::zero()}; }
  Fq12 operator*(const Fq12& o) const {
    const Fq6 v0 = c0 * o.c0, v1 = c1 * o.c1;
    return {v0 + v1.times_v(), (c0 + c1) * (o.c0 + o.c1) - v0 - v1};
  }
  Fq12 square() const {
    const Fq6 v = c0 * c1;
    return {(c0 + c1) * (c0 + c1.times_v()) - v - v.times_v(), v + v};
  }
  Fq12 conjugate() const { return {c0, -c1}; }
  Fq12 inverse() const {
    const Fq6 d = (c0 * c0 - (c1 * c1).times_v()).inverse();
    return {c0 * d, -(c1 * d)};
  }
  bool is_one() const {
    return c0.c0 == Fq2::one() && c0.c1.is_zero() && c0.c2.is_zero() && c1.c0.is_zero() && c1.c1.is_zero() &&
           c1.c2.is_zero();
  }
  // times (b0 + b3·w + b4·v·w), the shape of a line
  Fq12 times_line(const Fq2& b0, const Fq2& b3, const Fq2& b4) const {
    const Fq6 a{c0.c0 * b0, c0.c1 * b0, c0.c2 * b0}, b = c1.times_01(b3, b4);
    return {a + b.times_v(), (c0 + c1).times_01(b0 + b3, b4) - a - b};
  }
  // The q-power map: conjugate every coefficient of w^i and multiply by xi^(i(q-1)/6).
  Fq12 frobenius() const {
    static const std::array<Fq2, 6> gamma = [] {
      const Fq2 xi{Fq::from_u64(9), Fq::one()};
      const Fq2 g = Psi::power(xi, Psi::divided(sub_limbs(FqModulus::p, Limbs{1, 0, 0, 0}), 6));
      std::array<Fq2, 6> out{Fq2::one()};
      for (size_t i = 1; i < 6; i++) out[i] = out[i - 1] * g;
      return out;
    }();
    return {{c0.c0.conjugate(), c0.c1.conjugate() * gamma[2], c0.c2.conjugate() * gamma[4]},
            {c1.c0.conjugate() * gamma[1], c1.c1.conjugate() * gamma[3], c1.c2.conjugate() * gamma[5]}};
  }
};

struct PairingInput {
  G1Affine p;
  G2Affine q;
};

// Product of Miller functions; pairs with a point at infinity contribute one.
inline Fq12 miller_loop(const std::vector<PairingInput>& all) {
  struct State {
    G1Affine p;
    G2Affine q;
    Fq2 x, y, z;
  };
  std::vector<State> states;
  for (const PairingInput& in : all)
    if (!in.p.is_infinity() && !in.q.is_infinity()) states.push_back({in.p, in.q, in.q.x, in.q.y, Fq2::one()});
  Fq12 f = Fq12::one();
  const auto line = [&](const State& s, const Fq2& c0, const Fq2& c1, const Fq2& c2) {
    f = f.times_line(c0 * s.p.y, c1 * s.p.x, c2);
  };
  const Fq2 b = curve_b<Fq2>();
  const auto double_step = [&](State& s) {
    const Fq2 a = (s.x * s.y).half(), bb = s.y.square(), c = s.z.square();
    const Fq2 e = b * (c.doubled() + c), g3 = e.doubled() + e, g = (bb + g3).half();
    const Fq2 h = (s.y + s.z).square() - (bb + c), i = e - bb, j = s.x.square(), ee = e.square();
    s.x = a * (bb - g3);
    s.y = g.square() - (ee.doubled() + ee);
    s.z = bb * h;
    line(s, -h, j.doubled() + j, i);
  };
  const auto add_step = [&](State& s, const G2Affine& q) {
    const Fq2 theta = s.y - q.y * s.z, lambda = s.x - q.x * s.z;
    const Fq2 c = theta.square(), d = lambda.square(), e = lambda * d, g = s.x * d;
    const Fq2 h = e + s.z * c - g.doubled();
    s.x = lambda * h;
    s.y = theta * (g - h) - e * s.y;
    s.z *= e;
    line(s, lambda, -theta, theta * q.x - lambda * q.y);
  };
  const u128 loop = u128(6) * bn_x0 + 2;  // 65 bits
  for (int bit = 63; bit >= 0; bit--) {
    f = f.square();
    for (State& s : states) double_step(s);
    if ((loop >> bit) & 1)
      for (State& s : states) add_step(s, s.q);
  }
  const Psi& psi = Psi::instance();
  for (State& s : states) {
    const G2 q1 = psi(G2::from(s.q)), q2 = psi(q1);
    add_step(s, {q1.x, q1.y});
    add_step(s, {q2.x, -q2.y});
  }
  return f;
}

inline Fq12 final_exponentiation(const Fq12& f) {
  const auto power_neg_x = [](const Fq12& a) {
    Fq12 out = a;
    for (int bit = 61; bit >= 0; bit--) {
      out = out.square();
      if ((bn_x0 >> bit) & 1) out = out * a;
    }
    return out.conjugate();
  };
  Fq12 r = f.conjugate() * f.inverse();
  r = r.frobenius().frobenius() * r;
  const Fq12 y0 = power_neg_x(r), y1 = y0.square(), y3 = y1.square() * y1, y4 = power_neg_x(y3);
  const Fq12 y6 = power_neg_x(y4.square()).conjugate(), y7 = y6 * y4, y8 = y7 * y3.conjugate();
  const Fq12 y9 = y8 * y1, y11 = y8 * y4 * r, y13 = y9.frobenius() * y11;
  const Fq12 y14 = y8.frobenius().frobenius() * y13;
  return (r.conjugate() * y9).frobenius().frobenius().frobenius() * y14;
}

// Whether the product of e(p, q) over all pairs is one. Points are on their curves and in their subgroups.
inline bool pairing_product_is_one(const std::vector<PairingInput>& pairs) {
  return final_exponentiation(miller_loop(pairs)).is_one();
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
