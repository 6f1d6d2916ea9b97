// Scalars split along an endomorphism, k = k_0 + k_1·λ + … mod r with short k_i (GLV; GLS on the twist).
//
// G1: φ(x, y) = (βx, y) with β³ = 1, two parts of 127 bits. G2: ψ (curve.hpp), eigenvalue q mod r = 6·x0², four parts
// of 66 bits. Rows of `basis` are lattice vectors, Σ row[i]·λ^i = 0 mod r (G1: 6x0²+2x0, −(2x0+1); G2: Galbraith and
// Scott, eprint 2008/117); `weight[j]` = round(2^256·|basis⁻¹[0][j]|), so that (k, 0, …) − Σ c_j·basis[j] with
// c_j = round(k·basis⁻¹[0][j]) is short. A wrong constant shows at once: the products are tested against the twin,
// which knows no endomorphism.
#pragma once
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

constexpr Limbs negated(const Limbs& a) { return sub_limbs({0, 0, 0, 0}, a); }

// The low 256 bits of a·b; signed numbers are two's complement.
inline Limbs multiply_low(const Limbs& a, const Limbs& b) {
  Limbs out{};
  for (int i = 0; i < 4; i++) {
    u128 carry = 0;
    for (int j = 0; i + j < 4; j++) {
      carry += u128(a[i]) * b[j] + out[i + j];
      out[i + j] = uint64_t(carry);
      carry >>= 64;
    }
  }
  return out;
}

// round(a·b / 2^256)
inline Limbs multiply_high(const Limbs& a, const Limbs& b) {
  uint64_t t[8] = {};
  for (int i = 0; i < 4; i++) {
    u128 carry = 0;
    for (int j = 0; j < 4; j++) {
      carry += u128(a[i]) * b[j] + t[i + j];
      t[i + j] = uint64_t(carry);
      carry >>= 64;
    }
    t[i + 4] = uint64_t(carry);
  }
  return add_limbs({t[4], t[5], t[6], t[7]}, {t[3] >> 63, 0, 0, 0});
}

template <class F>
struct Endomorphism;

template <>
struct Endomorphism<Fq> {
  static constexpr unsigned parts = 2;
  // 4-bit signed digits a part.
  static constexpr unsigned digits = 32;
  static constexpr Limbs weight[parts] = {{0x5398fd0300ff6565, 0x4ccef014a773d2d2, 0x0000000000000002},
                                          {0xd91d232ec7e0b3d7, 0x0000000000000002}};
  static constexpr bool is_negative[parts] = {false, false};
  static constexpr Limbs basis[parts][parts] = {
      {{0x8211bbeb7d4f1128, 0x6f4d8248eeb859fc}, negated({0x89d3256894d213e3})},
      {{0x89d3256894d213e3}, {0x0be4e1541221250b, 0x6f4d8248eeb859fd}}};

  G1Affine operator()(const G1Affine& p, unsigned part) const { return part == 0 ? p : G1Affine{p.x * beta, p.y}; }
  G1 operator()(const G1& p, unsigned part) const { return part == 0 ? p : G1{p.x * beta, p.y, p.zz, p.zzz}; }

  Fq beta = Fq::from_canonical({0xe4bd44e5607cfd48, 0xc28f069fbb966e3d, 0x5e6dd9e7e0acccb0, 0x30644e72e131a029});
};

template <>
struct Endomorphism<Fq2> {
  static constexpr unsigned parts = 4;
  static constexpr unsigned digits = 17;
  static constexpr Limbs weight[parts] = {
      {0xd0cb46fd51906254, 0xc444fab18d269b9d},
      {0x001378f5ee78976e, 0x22df9f942d7d77c7, 0x3d00631561b25729, 0x0000000000000001},
      {0x36510546a93478ab, 0x916fcfca16bebbe4, 0x9e80318ab0d92b94},
      {0xf7ae23ce89afae7d, 0xc444fab18d269b9a}};
  static constexpr bool is_negative[parts] = {false, false, false, true};
  static constexpr Limbs basis[parts][parts] = {
      {{0x44e992b44a6909f2}, {0x44e992b44a6909f1}, {0x44e992b44a6909f1}, negated({0x89d3256894d213e2})},
      {{0x89d3256894d213e3},
       negated({0x44e992b44a6909f1}),
       negated({0x44e992b44a6909f2}),
       negated({0x44e992b44a6909f1})},
      {{0x89d3256894d213e2}, {0x89d3256894d213e3}, {0x89d3256894d213e3}, {0x89d3256894d213e3}},
      {{0x44e992b44a6909f0}, {0x13a64ad129a427c6, 0x0000000000000001}, negated({0x89d3256894d213e1}), {0x44e992b44a6909f0}}};

  G2Affine operator()(const G2Affine& p, unsigned part) const {
    switch (part) {
      case 1: return {p.x.conjugate() * kx[1], p.y.conjugate() * ky[1]};
      case 2: return {p.x * kx[2], p.y * ky[2]};
      case 3: return {p.x.conjugate() * kx[3], p.y.conjugate() * ky[3]};
      default: return p;
    }
  }
  G2 operator()(const G2& p, unsigned part) const {
    if (part == 0) return p;
    if (part == 2) return {p.x * kx[2], p.y * ky[2], p.zz, p.zzz};
    return {p.x.conjugate() * kx[part], p.y.conjugate() * ky[part], p.zz.conjugate(), p.zzz.conjugate()};
  }

  // ψ^i(x, y) = (kx[i]·x, ky[i]·y), conjugated for odd i.
  Endomorphism() {
    const Psi& psi = Psi::instance();
    kx[1] = psi.kx, ky[1] = psi.ky;
    for (int i = 2; i < 4; i++) kx[i] = kx[i - 1].conjugate() * kx[1], ky[i] = ky[i - 1].conjugate() * ky[1];
  }

 private:
  Fq2 kx[4] = {}, ky[4] = {};
};

// The parts of k plus 0x88…8, so that nibble j of a part is its signed digit plus 8. k canonical.
template <class F>
std::array<std::array<uint64_t, 2>, Endomorphism<F>::parts> split_digits(const Limbs& k) {
  using E = Endomorphism<F>;
  constexpr u128 nibbles = (u128(0x8888888888888888) << 64) | 0x8888888888888888;
  constexpr u128 offset = E::digits == 32 ? nibbles : nibbles & ((u128(1) << (4 * (E::digits % 32))) - 1);
  Limbs part[E::parts] = {k};
  for (unsigned j = 0; j < E::parts; j++) {
    const Limbs c = multiply_high(k, E::weight[j]);
    for (unsigned i = 0; i < E::parts; i++) {
      const Limbs step = multiply_low(c, E::basis[j][i]);
      part[i] = E::is_negative[j] ? add_limbs(part[i], step) : sub_limbs(part[i], step);
    }
  }
  std::array<std::array<uint64_t, 2>, E::parts> out;
  for (unsigned i = 0; i < E::parts; i++) {
    const u128 shifted = ((u128(part[i][1]) << 64) | part[i][0]) + offset;
    out[i] = {uint64_t(shifted), uint64_t(shifted >> 64)};
  }
  return out;
}

// k·P for a point of order r and a canonical k: signed 4-bit digits of all parts walk down together, so that the parts
// share their doublings. Time depends on k.
template <class F>
Xyzz<F> multiply(const Xyzz<F>& p, const Limbs& k) {
  if (k == Limbs{1, 0, 0, 0}) return p;
  using E = Endomorphism<F>;
  static const E endomorphism;
  const auto digits = split_digits<F>(k);
  Xyzz<F> multiples[8] = {p, p.doubled()};  // d·P for d = 1 … 8
  for (int d = 2; d < 8; d++) multiples[d] = multiples[d - 1] + p;
  Xyzz<F> out = Xyzz<F>::infinity();
  for (unsigned j = E::digits; j-- > 0;) {
    for (int d = 0; d < 4; d++) out = out.doubled();
    for (unsigned part = 0; part < E::parts; part++) {
      const int digit = int((digits[part][j / 16] >> (4 * (j % 16))) & 15) - 8;
      if (digit == 0) continue;
      const Xyzz<F> image = endomorphism(multiples[(digit < 0 ? -digit : digit) - 1], part);
      out += digit < 0 ? -image : image;
    }
  }
  return out;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
