// The batch-affine addition kernel (see lanes.hpp) on eight pairs at a time.
//
// Points stand in memory as four 64-bit words a coordinate in Montgomery form with R = 2^260 ("table form"): one
// multiplication away from the scalar form. Stored coordinates are below 2.1q; those of a key's own table below 2q.
// Lane i of step k works on pair 8k + i, so the prefix products of the shared inversion are eight chains, joined at
// the end by scalar code.
#pragma once
#include "ifma-field.hpp"
#include "scalar-lanes.hpp"


namespace verinfer {
inline namespace VERINFER_ISA {

using IfmaQ = Ifma<FqModulus>;

// A coordinate over Fq: the operations the addition formula needs, with their bounds.
struct Wide1 {
  static constexpr int words = 4;
  IfmaQ v;

  __attribute__((always_inline)) static Wide1 load(const __m512i* w) { return {IfmaQ::from_words(w)}; }
  __attribute__((always_inline)) void store(__m512i* w) const { v.to_words(w); }
  // a - b + 3q, carried; a, b < 3q
  __attribute__((always_inline)) Wide1 minus(const Wide1& b) const { return {v.plus(IfmaQ::p3).minus(b.v).carried()}; }
  __attribute__((always_inline)) Wide1 times(const Wide1& b) const { return {v.times(b.v)}; }
  __attribute__((always_inline)) Wide1 squared() const { return {v.squared()}; }
  // below 4.2q for a point's own coordinate; below 4.2q for a product
  __attribute__((always_inline)) Wide1 twice() const { return {v.plus(v).carried()}; }
  __attribute__((always_inline)) Wide1 thrice() const { return {v.plus(v).plus(v).carried()}; }
  // 2q - y in the chosen lanes; y < 2q
  __attribute__((always_inline)) Wide1 negated(__mmask8 lanes) const {
    const IfmaQ n = IfmaQ::splat(IfmaQ::p2).minus(v);
    IfmaQ out;
    for (int i = 0; i < 5; i++) out.l[i] = _mm512_mask_mov_epi64(v.l[i], lanes, n.l[i]);
    return {out};  // not carried: feeds a subtraction
  }
  // this - a - b + 5q reduced below 2.1q; this < 1.4q, a, b < 2.1q
  __attribute__((always_inline)) Wide1 minus_both(const Wide1& a, const Wide1& b) const {
    return {v.plus(IfmaQ::p5).minus(a.v).minus(b.v).less_multiple(IfmaQ::p4).less_multiple(IfmaQ::p2).carried()};
  }
  // this - a + 3q reduced below 2.1q; this < 1.1q, a < 2.1q
  __attribute__((always_inline)) Wide1 minus_reduced(const Wide1& a) const {
    return {v.plus(IfmaQ::p3).minus(a.v).less_multiple(IfmaQ::p2).carried()};
  }
};

// Over Fq2; products have components below 5.3q.
struct Wide2 {
  static constexpr int words = 8;
  IfmaQ c0, c1;

  __attribute__((always_inline)) static Wide2 load(const __m512i* w) {
    return {IfmaQ::from_words(w), IfmaQ::from_words(w + 4)};
  }
  __attribute__((always_inline)) void store(__m512i* w) const { c0.to_words(w), c1.to_words(w + 4); }
  __attribute__((always_inline)) Wide2 minus(const Wide2& b) const {
    return {c0.plus(IfmaQ::p3).minus(b.c0).carried(), c1.plus(IfmaQ::p3).minus(b.c1).carried()};
  }
  // components below 5.3q in, below 5.3q out: the cross product is below (10.6^2/84 + 1)q = 2.4q, and 3q is added
  __attribute__((always_inline)) Wide2 times(const Wide2& b) const {
    const IfmaQ v0 = c0.times(b.c0), v1 = c1.times(b.c1), cross = c0.plus(c1).carried().times(b.c0.plus(b.c1).carried());
    return {v0.plus(IfmaQ::p2).minus(v1).carried(), cross.plus(IfmaQ::p3).minus(v0).minus(v1).carried()};
  }
  __attribute__((always_inline)) Wide2 squared() const {
    const IfmaQ product = c0.times(c1);
    return {c0.plus(c1).carried().times(c0.plus(IfmaQ::p6).minus(c1).carried()), product.plus(product).carried()};
  }
  __attribute__((always_inline)) Wide2 twice() const { return {c0.plus(c0).carried(), c1.plus(c1).carried()}; }
  // reduced first: a square has components below 5.3q
  __attribute__((always_inline)) Wide2 thrice() const {
    const IfmaQ a = reduced(c0), b = reduced(c1);
    return {a.plus(a).plus(a).carried(), b.plus(b).plus(b).carried()};
  }
  __attribute__((always_inline)) Wide2 negated(__mmask8 lanes) const {
    return {Wide1{c0}.negated(lanes).v, Wide1{c1}.negated(lanes).v};
  }
  __attribute__((always_inline)) static IfmaQ reduced(const IfmaQ& v) {  // < 10q to < 2.1q
    return v.less_multiple(IfmaQ::p4).less_multiple(IfmaQ::p4).less_multiple(IfmaQ::p2).carried();
  }
  __attribute__((always_inline)) Wide2 minus_both(const Wide2& a, const Wide2& b) const {
    return {reduced(c0.plus(IfmaQ::p5).minus(a.c0).minus(b.c0)), reduced(c1.plus(IfmaQ::p5).minus(a.c1).minus(b.c1))};
  }
  __attribute__((always_inline)) Wide2 minus_reduced(const Wide2& a) const {
    return {reduced(c0.plus(IfmaQ::p3).minus(a.c0)), reduced(c1.plus(IfmaQ::p3).minus(a.c1))};
  }
};

template <class F>
struct WideOf;
template <>
struct WideOf<Fq> {
  using Type = Wide1;
};
template <>
struct WideOf<Fq2> {
  using Type = Wide2;
};

// Scalar values between the two Montgomery forms: times 2^4 and back.
inline Fq to_wide_form(const Fq& v) { return v.doubled().doubled().doubled().doubled(); }
inline Fq from_wide_form(const Fq& v) {
  static const Fq k = Fq::from_u64(16).inverse();
  return v * k;
}
inline Fq2 to_wide_form(const Fq2& v) { return {to_wide_form(v.c0), to_wide_form(v.c1)}; }
inline Fq2 from_wide_form(const Fq2& v) { return {from_wide_form(v.c0), from_wide_form(v.c1)}; }

template <class F>
struct IfmaLanes {
  using Coordinate = F;
  using Point = Affine<F>;
  using W = typename WideOf<F>::Type;
  static constexpr int words = W::words;

  static Point to_table(const Affine<F>& p) { return {to_wide_form(p.x), to_wide_form(p.y)}; }
  static Affine<F> from_table(const Point& p) { return {from_wide_form(p.x), from_wide_form(p.y)}; }
  static bool is_infinity(const Point& p) { return from_table(p).is_infinity(); }
  static Point negated(const Point& p) { return -p; }

  struct Scratch {
    std::vector<W> dx, prefix;
  };

  static bool add(const Point* base, const uint32_t* refs, size_t count, Point* out, const uint32_t* targets,
                  Scratch& scratch) {
    const size_t steps = count / 8;
    if (scratch.dx.size() < steps) scratch.dx.resize(steps), scratch.prefix.resize(steps);
    W product = splat(to_wide_form(F::one()));
    for (size_t k = 0; k < steps; k++) {
      const uint32_t* r = refs + 16 * k;
      if (k + 2 < steps)
        for (int i = 32; i < 48; i++) __builtin_prefetch(&base[r[i] & ~negate_bit]);
      __m512i a[words], b[words];
      load_columns(base, r, 0, a);
      load_columns(base, r + 1, 0, b);
      const W dx = W::load(b).minus(W::load(a));
      scratch.dx[k] = dx;
      scratch.prefix[k] = product;
      product = product.times(dx);
    }
    // the eight lane products and the pairs left over share one scalar inversion
    F lanes[8], rest[8];
    unpack(product, lanes);
    const size_t left = count - 8 * steps;
    F all[16];
    for (size_t i = 0; i < 8; i++) all[i] = lanes[i];
    for (size_t i = 0; i < left; i++) {
      const uint32_t* r = refs + 2 * (8 * steps + i);
      all[8 + i] = from_wide_form(base[r[1] & ~negate_bit].x) - from_wide_form(base[r[0] & ~negate_bit].x);
    }
    for (size_t i = 0; i < 8 + left; i++)
      if (all[i].is_zero()) return false;
    invert_few(all, 8 + left);
    for (size_t i = 0; i < left; i++) rest[i] = all[8 + i];
    W inverse = pack(all);
    for (size_t k = steps; k-- > 0;) {
      const uint32_t* r = refs + 16 * k;
      __m512i x[words], y[words];
      load_columns(base, r, 0, x), load_columns(base, r, words, y);
      const W x1 = W::load(x), y1 = W::load(y).negated(signs(r));
      load_columns(base, r + 1, 0, x), load_columns(base, r + 1, words, y);
      const W x2 = W::load(x), y2 = W::load(y).negated(signs(r + 1));
      const W lambda = y2.minus(y1).times(inverse.times(scratch.prefix[k]));
      inverse = inverse.times(scratch.dx[k]);
      const W x3 = lambda.squared().minus_both(x1, x2);
      const W y3 = lambda.times(x1.minus(x3)).minus_reduced(y1);
      store_points(out, targets + 8 * k, x3, y3);
    }
    for (size_t i = 0; i < left; i++) {
      const uint32_t* r = refs + 2 * (8 * steps + i);
      const Affine<F> p = signed_point(base, r[0]), q = signed_point(base, r[1]);
      const F lambda = (q.y - p.y) * rest[i], x3 = lambda.square() - p.x - q.x;
      out[targets[8 * steps + i]] = to_table({x3, lambda * (p.x - x3) - p.y});
    }
    return true;
  }

  // Doubles points in place; none is infinity or of order two.
  static void double_all(Point* points, size_t count, Scratch& scratch) {
    const size_t steps = count / 8;
    if (scratch.dx.size() < steps) scratch.dx.resize(steps), scratch.prefix.resize(steps);
    uint32_t self[16];
    for (int i = 0; i < 8; i++) self[2 * i] = self[2 * i + 1] = uint32_t(i);
    W product = splat(to_wide_form(F::one()));
    for (size_t k = 0; k < steps; k++) {
      __m512i y[words];
      load_columns(points + 8 * k, self, words, y);
      scratch.dx[k] = W::load(y).twice();
      scratch.prefix[k] = product;
      product = product.times(scratch.dx[k]);
    }
    F lanes[8];
    unpack(product, lanes);
    invert_few(lanes, 8);
    W inverse = pack(lanes);
    for (size_t k = steps; k-- > 0;) {
      __m512i c[words];
      load_columns(points + 8 * k, self, 0, c);
      const W x = W::load(c);
      load_columns(points + 8 * k, self, words, c);
      const W y = W::load(c);
      const W lambda = x.squared().thrice().times(inverse.times(scratch.prefix[k]));
      inverse = inverse.times(scratch.dx[k]);
      const W x3 = lambda.squared().minus_both(x, x), y3 = lambda.times(x.minus(x3)).minus_reduced(y);
      uint32_t targets[8];
      for (int i = 0; i < 8; i++) targets[i] = uint32_t(i);
      store_points(points + 8 * k, targets, x3, y3);
    }
    typename ScalarLanes<F>::Scratch rest;
    for (size_t i = 8 * steps; i < count; i++) {
      Affine<F> p = from_table(points[i]);
      ScalarLanes<F>::double_all(&p, 1, rest);
      points[i] = to_table(p);
    }
  }

 private:
  static Affine<F> signed_point(const Point* base, uint32_t ref) {
    const Affine<F> p = from_table(base[ref & ~negate_bit]);
    return ref & negate_bit ? -p : p;
  }

  static void invert_few(F* v, size_t n) {
    F prefix[16], product = F::one();
    for (size_t i = 0; i < n; i++) prefix[i] = product, product *= v[i];
    product = product.inverse();
    for (size_t i = n; i-- > 0;) {
      const F t = v[i];
      v[i] = product * prefix[i];
      product *= t;
    }
  }

  static __mmask8 signs(const uint32_t* r) {
    unsigned mask = 0;
    for (int i = 0; i < 8; i++) mask |= (r[2 * i] >> 31) << i;
    return __mmask8(mask);
  }

  // `words` 64-bit columns, from word `first`, of the points r[0], r[2], … r[14].
  __attribute__((always_inline)) static void load_columns(const Point* base, const uint32_t* r, int first, __m512i* out) {
    const auto row = [&](int i) {
      return reinterpret_cast<const uint64_t*>(&base[r[2 * i] & ~negate_bit]) + first;
    };
    if constexpr (words == 4) {
      // two points to a register: four rows of eight words, transposed as two 4x4 halves
      __m512i t[4], u[4];
      for (int i = 0; i < 4; i++)
        t[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256(reinterpret_cast<const __m256i*>(row(i)))),
                                  _mm256_load_si256(reinterpret_cast<const __m256i*>(row(i + 4))), 1);
      u[0] = _mm512_unpacklo_epi64(t[0], t[1]), u[1] = _mm512_unpackhi_epi64(t[0], t[1]);
      u[2] = _mm512_unpacklo_epi64(t[2], t[3]), u[3] = _mm512_unpackhi_epi64(t[2], t[3]);
      const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
      out[0] = _mm512_permutex2var_epi64(u[0], low, u[2]);
      out[1] = _mm512_permutex2var_epi64(u[1], low, u[3]);
      out[2] = _mm512_permutex2var_epi64(u[0], high, u[2]);
      out[3] = _mm512_permutex2var_epi64(u[1], high, u[3]);
    } else {
      for (int i = 0; i < 8; i++) out[i] = _mm512_loadu_si512(row(i));
      transpose8(out);
    }
  }

  __attribute__((always_inline)) static void store_points(Point* out, const uint32_t* targets, const W& x, const W& y) {
    __m512i c[2 * words];
    x.store(c), y.store(c + words);
    for (int part = 0; part < words / 4; part++) {
      transpose8(c + 8 * part);
      for (int i = 0; i < 8; i++)
        _mm512_storeu_si512(reinterpret_cast<uint64_t*>(&out[targets[i]]) + 8 * part, c[8 * part + i]);
    }
  }

  static void to_columns(const F* in, __m512i* c) {
    alignas(64) uint64_t rows[words][8];
    for (int i = 0; i < 8; i++)
      for (int w = 0; w < words; w++) rows[w][i] = reinterpret_cast<const uint64_t*>(&in[i])[w];
    for (int w = 0; w < words; w++) c[w] = _mm512_load_si512(rows[w]);
  }
  static W pack(const F* scalar_form) {
    F in[8];
    for (int i = 0; i < 8; i++) in[i] = to_wide_form(scalar_form[i]);
    __m512i c[words];
    to_columns(in, c);
    return W::load(c);
  }
  static W splat(const F& wide_form) {
    F in[8];
    for (F& f : in) f = wide_form;
    __m512i c[words];
    to_columns(in, c);
    return W::load(c);
  }
  static void unpack(const W& v, F* scalar_form) {
    __m512i c[words];
    v.store(c);
    alignas(64) uint64_t rows[words][8];
    for (int w = 0; w < words; w++) _mm512_store_si512(rows[w], c[w]);
    for (int i = 0; i < 8; i++) {
      F f;
      for (int w = 0; w < words; w++) reinterpret_cast<uint64_t*>(&f)[w] = rows[w][i];
      scalar_form[i] = from_wide_form(f);
    }
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
