// BN254 prime fields and the quadratic extension, in Montgomery form (R = 2^256).
//
// A value is kept lazily in [0, 2p): 4p < 2^256, so a product of two such values needs no final subtraction.
// Equality, zero tests and serialization reduce to [0, p) first. Fq2 = Fq[u] / (u^2 + 1).
//
// Every translation unit that includes this file is compiled once per instruction set; VERINFER_ISA names the
// namespace, so that the variants never meet at link time. Twin: prover/curve.ts.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#ifndef VERINFER_ISA
#define VERINFER_ISA portable
#endif

#include "inverse.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

using Limbs = std::array<uint64_t, 4>;
using u128 = unsigned __int128;

constexpr bool less(const Limbs& a, const Limbs& b) {
  for (int i = 3; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}

constexpr Limbs sub_limbs(const Limbs& a, const Limbs& b) {
  Limbs out{};
  uint64_t borrow = 0;
  for (int i = 0; i < 4; i++) {
    const u128 d = u128(a[i]) - b[i] - borrow;
    out[i] = uint64_t(d);
    borrow = uint64_t(d >> 64) & 1;
  }
  return out;
}

constexpr Limbs add_limbs(const Limbs& a, const Limbs& b) {
  Limbs out{};
  u128 s = 0;
  for (int i = 0; i < 4; i++) {
    s += u128(a[i]) + b[i];
    out[i] = uint64_t(s);
    s >>= 64;
  }
  return out;
}

// 2^power mod p, by doubling.
constexpr Limbs power_of_two(const Limbs& p, int power) {
  Limbs x{1, 0, 0, 0};
  for (int i = 0; i < power; i++) {
    x = add_limbs(x, x);
    if (!less(x, p)) x = sub_limbs(x, p);
  }
  return x;
}

// -p^-1 mod 2^64, by Newton's iteration.
constexpr uint64_t negative_inverse(uint64_t p) {
  uint64_t x = 1;
  for (int i = 0; i < 6; i++) x *= 2 - p * x;
  return ~x + 1;
}

struct FqModulus {
  static constexpr Limbs p{0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029};
};
struct FrModulus {
  static constexpr Limbs p{0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029};
};

template <class M>
struct alignas(32) Field {
  Limbs l;

  static constexpr Limbs p = M::p;
  static constexpr Limbs p2 = add_limbs(M::p, M::p);
  static constexpr uint64_t inv = negative_inverse(M::p[0]);
  static constexpr Limbs r1 = power_of_two(M::p, 256);
  static constexpr Limbs r2 = power_of_two(M::p, 512);

  static constexpr Field zero() { return {{0, 0, 0, 0}}; }
  static constexpr Field one() { return {r1}; }
  static Field from_u64(uint64_t v) { return Field{{v, 0, 0, 0}} * Field{r2}; }
  static Field from_i64(int64_t v) { return v < 0 ? -from_u64(uint64_t(-(v + 1)) + 1) : from_u64(uint64_t(v)); }
  // Canonical integer in [0, p) to Montgomery form; the caller has checked the range.
  static Field from_canonical(const Limbs& v) { return Field{v} * Field{r2}; }
  // Out of Montgomery form, canonical.
  Limbs canonical() const { return (*this * Field{{1, 0, 0, 0}}).reduced(); }
  // The Montgomery representative in [0, p).
  Limbs reduced() const { return less(l, p) ? l : sub_limbs(l, p); }

  bool is_zero() const {
    return (l[0] | l[1] | l[2] | l[3]) == 0 || (l[0] == p[0] && l[1] == p[1] && l[2] == p[2] && l[3] == p[3]);
  }
  bool operator==(const Field& o) const { return reduced() == o.reduced(); }

  Field operator+(const Field& o) const;
  Field operator-(const Field& o) const;
  Field operator*(const Field& o) const;
  Field operator-() const { return zero() - *this; }
  Field& operator+=(const Field& o) { return *this = *this + o; }
  Field& operator-=(const Field& o) { return *this = *this - o; }
  Field& operator*=(const Field& o) { return *this = *this * o; }
  Field doubled() const { return *this + *this; }
  Field square() const { return *this * *this; }
  // value / 2
  Field half() const {
    Limbs t = l;
    if (t[0] & 1) t = add_limbs(t, p);
    return {{(t[0] >> 1) | (t[1] << 63), (t[1] >> 1) | (t[2] << 63), (t[2] >> 1) | (t[3] << 63), t[3] >> 1}};
  }

  Field pow(const Limbs& e) const {
    Field out = one();
    for (int i = 255; i >= 0; i--) {
      out = out.square();
      if ((e[i / 64] >> (i % 64)) & 1) out *= *this;
    }
    return out;
  }

  Field pow(uint64_t e) const { return pow(Limbs{e, 0, 0, 0}); }
  // 1/value; 0 for 0. Time depends on the value (inverse.hpp).
  Field inverse() const;
};

#if defined(VERINFER_ASM)

template <class M>
inline Field<M> Field<M>::operator+(const Field& o) const {
  uint64_t t0 = l[0], t1 = l[1], t2 = l[2], t3 = l[3], u0, u1, u2, u3;
  asm("addq %[b0], %[t0]\n\tadcq %[b1], %[t1]\n\tadcq %[b2], %[t2]\n\tadcq %[b3], %[t3]\n\t"
      "movq %[t0], %[u0]\n\tmovq %[t1], %[u1]\n\tmovq %[t2], %[u2]\n\tmovq %[t3], %[u3]\n\t"
      "subq %[p0], %[u0]\n\tsbbq %[p1], %[u1]\n\tsbbq %[p2], %[u2]\n\tsbbq %[p3], %[u3]\n\t"
      "cmovncq %[u0], %[t0]\n\tcmovncq %[u1], %[t1]\n\tcmovncq %[u2], %[t2]\n\tcmovncq %[u3], %[t3]"
      : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "=&r"(u0), [u1] "=&r"(u1),
        [u2] "=&r"(u2), [u3] "=&r"(u3)
      : [b0] "m"(o.l[0]), [b1] "m"(o.l[1]), [b2] "m"(o.l[2]), [b3] "m"(o.l[3]), [p0] "m"(p2[0]), [p1] "m"(p2[1]),
        [p2] "m"(p2[2]), [p3] "m"(p2[3])
      : "cc");
  return {{t0, t1, t2, t3}};
}

template <class M>
inline Field<M> Field<M>::operator-(const Field& o) const {
  uint64_t t0 = l[0], t1 = l[1], t2 = l[2], t3 = l[3];
  uint64_t u0 = p2[0], u1 = p2[1], u2 = p2[2], u3 = p2[3];
  const uint64_t nought = 0;
  asm("subq %[b0], %[t0]\n\tsbbq %[b1], %[t1]\n\tsbbq %[b2], %[t2]\n\tsbbq %[b3], %[t3]\n\t"
      "cmovncq %[z], %[u0]\n\tcmovncq %[z], %[u1]\n\tcmovncq %[z], %[u2]\n\tcmovncq %[z], %[u3]\n\t"
      "addq %[u0], %[t0]\n\tadcq %[u1], %[t1]\n\tadcq %[u2], %[t2]\n\tadcq %[u3], %[t3]"
      : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [u0] "+&r"(u0), [u1] "+&r"(u1),
        [u2] "+&r"(u2), [u3] "+&r"(u3)
      : [b0] "m"(o.l[0]), [b1] "m"(o.l[1]), [b2] "m"(o.l[2]), [b3] "m"(o.l[3]), [z] "r"(nought)
      : "cc");
  return {{t0, t1, t2, t3}};
}

// One row of the no-carry Montgomery product: t += a·b_i, then t = (t + m·p) / 2^64. Two carry chains (CF, OF).
#define VERINFER_MUL_ROW(bi)                                                                                       \
  "movq %[" bi "], %%rdx\n\txorl %%eax, %%eax\n\t"                                                                \
  "mulxq %[a0], %%rax, %[A]\n\tadoxq %%rax, %[t0]\n\t"                                                            \
  "adcxq %[A], %[t1]\n\tmulxq %[a1], %%rax, %[A]\n\tadoxq %%rax, %[t1]\n\t"                                       \
  "adcxq %[A], %[t2]\n\tmulxq %[a2], %%rax, %[A]\n\tadoxq %%rax, %[t2]\n\t"                                       \
  "adcxq %[A], %[t3]\n\tmulxq %[a3], %%rax, %[A]\n\tadoxq %%rax, %[t3]\n\t"                                       \
  "movl $0, %%eax\n\tadcxq %%rax, %[A]\n\tadoxq %%rax, %[A]\n\t" VERINFER_REDUCE_ROW
#define VERINFER_REDUCE_ROW                                                                                        \
  "movq %[inv], %%rdx\n\timulq %[t0], %%rdx\n\txorl %%eax, %%eax\n\t"                                             \
  "mulxq %[p0], %%rax, %[C]\n\tadcxq %[t0], %%rax\n\tmovq %[C], %[t0]\n\t"                                        \
  "adcxq %[t1], %[t0]\n\tmulxq %[p1], %%rax, %[t1]\n\tadoxq %%rax, %[t0]\n\t"                                     \
  "adcxq %[t2], %[t1]\n\tmulxq %[p2], %%rax, %[t2]\n\tadoxq %%rax, %[t1]\n\t"                                     \
  "adcxq %[t3], %[t2]\n\tmulxq %[p3], %%rax, %[t3]\n\tadoxq %%rax, %[t2]\n\t"                                     \
  "movl $0, %%eax\n\tadcxq %%rax, %[t3]\n\tadoxq %[A], %[t3]\n\t"

template <class M>
inline Field<M> Field<M>::operator*(const Field& o) const {
  uint64_t t0, t1, t2, t3, A, C;
  asm("movq %[b0], %%rdx\n\txorl %%eax, %%eax\n\t"
      "mulxq %[a0], %[t0], %[t1]\n\t"
      "mulxq %[a1], %%rax, %[t2]\n\tadoxq %%rax, %[t1]\n\t"
      "mulxq %[a2], %%rax, %[t3]\n\tadoxq %%rax, %[t2]\n\t"
      "mulxq %[a3], %%rax, %[A]\n\tadoxq %%rax, %[t3]\n\t"
      "movl $0, %%eax\n\tadoxq %%rax, %[A]\n\t" VERINFER_REDUCE_ROW VERINFER_MUL_ROW("b1") VERINFER_MUL_ROW("b2")
          VERINFER_MUL_ROW("b3")
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [A] "=&r"(A), [C] "=&r"(C)
      : [a0] "m"(l[0]), [a1] "m"(l[1]), [a2] "m"(l[2]), [a3] "m"(l[3]), [b0] "m"(o.l[0]), [b1] "m"(o.l[1]),
        [b2] "m"(o.l[2]), [b3] "m"(o.l[3]), [p0] "m"(p[0]), [p1] "m"(p[1]), [p2] "m"(p[2]), [p3] "m"(p[3]),
        [inv] "m"(inv)
      : "rax", "rdx", "cc");
  return {{t0, t1, t2, t3}};
}
#undef VERINFER_MUL_ROW
#undef VERINFER_REDUCE_ROW

#else

template <class M>
inline Field<M> Field<M>::operator+(const Field& o) const {
  const Limbs t = add_limbs(l, o.l);
  return {less(t, p2) ? t : sub_limbs(t, p2)};
}

template <class M>
inline Field<M> Field<M>::operator-(const Field& o) const {
  const Limbs t = sub_limbs(l, o.l);
  return {less(l, o.l) ? add_limbs(t, p2) : t};
}

template <class M>
inline Field<M> Field<M>::operator*(const Field& o) const {
  uint64_t t[5] = {0, 0, 0, 0, 0};
  for (int i = 0; i < 4; i++) {
    u128 carry = 0;
    for (int j = 0; j < 4; j++) {
      carry += u128(l[j]) * o.l[i] + t[j];
      t[j] = uint64_t(carry);
      carry >>= 64;
    }
    t[4] = uint64_t(carry);
    const uint64_t m = t[0] * inv;
    carry = (u128(m) * p[0] + t[0]) >> 64;
    for (int j = 1; j < 4; j++) {
      carry += u128(m) * p[j] + t[j];
      t[j - 1] = uint64_t(carry);
      carry >>= 64;
    }
    t[3] = uint64_t(carry) + t[4];
  }
  return {{t[0], t[1], t[2], t[3]}};
}

#endif

// The Montgomery factor: (x·R)^-1 times R^3 / R is x^-1·R.
template <class M>
inline Field<M> Field<M>::inverse() const {
  static constexpr Field r3{power_of_two(M::p, 768)};
  return Field{Inverse62::run(reduced(), p, ~inv + 1)} * r3;
}

using Fq = Field<FqModulus>;
using Fr = Field<FrModulus>;

struct Fq2 {
  Fq c0, c1;

  static constexpr Fq2 zero() { return {Fq::zero(), Fq::zero()}; }
  static constexpr Fq2 one() { return {Fq::one(), Fq::zero()}; }
  bool is_zero() const { return c0.is_zero() && c1.is_zero(); }
  bool operator==(const Fq2& o) const { return c0 == o.c0 && c1 == o.c1; }
  Fq2 operator+(const Fq2& o) const { return {c0 + o.c0, c1 + o.c1}; }
  Fq2 operator-(const Fq2& o) const { return {c0 - o.c0, c1 - o.c1}; }
  Fq2 operator-() const { return {-c0, -c1}; }
  Fq2 operator*(const Fq2& o) const {
    const Fq v0 = c0 * o.c0, v1 = c1 * o.c1;
    return {v0 - v1, (c0 + c1) * (o.c0 + o.c1) - v0 - v1};
  }
  Fq2 operator*(const Fq& k) const { return {c0 * k, c1 * k}; }
  Fq2& operator+=(const Fq2& o) { return *this = *this + o; }
  Fq2& operator-=(const Fq2& o) { return *this = *this - o; }
  Fq2& operator*=(const Fq2& o) { return *this = *this * o; }
  Fq2 doubled() const { return *this + *this; }
  Fq2 half() const { return {c0.half(), c1.half()}; }
  Fq2 square() const { return {(c0 + c1) * (c0 - c1), (c0 * c1).doubled()}; }
  Fq2 conjugate() const { return {c0, -c1}; }
  Fq2 inverse() const {
    const Fq d = (c0.square() + c1.square()).inverse();
    return {c0 * d, -(c1 * d)};
  }
};

// Replaces every value by its inverse with one field inversion (Montgomery's trick); zeros stay zero.
template <class F>
void batch_inverse(F* values, size_t count) {
  std::vector<F> prefix(count);
  F product = F::one();
  for (size_t i = 0; i < count; i++) {
    prefix[i] = product;
    if (!values[i].is_zero()) product *= values[i];
  }
  product = product.inverse();
  for (size_t i = count; i-- > 0;) {
    if (values[i].is_zero()) continue;
    const F v = values[i];
    values[i] = product * prefix[i];
    product *= v;
  }
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
