// Adding many independent pairs of affine points with one shared inversion.
//
//   lambda = (y2 - y1)/(x2 - x1),  x3 = lambda^2 - x1 - x2,  y3 = lambda (x1 - x3) - y1      (5M + 1S + inversion/n)
//
// A reference is an index into a table of points; bit 31 negates the point. `ScalarLanes` is the plain kernel; other
// kernels (lanes-ifma.hpp) hold their points in a form of their own and define the same four members.
#pragma once
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

constexpr uint32_t negate_bit = 0x80000000u;

template <class F>
struct ScalarLanes {
  using Coordinate = F;
  using Point = Affine<F>;
  static Point to_table(const Affine<F>& p) { return p; }
  static Affine<F> from_table(const Point& p) { return p; }
  static bool is_infinity(const Point& p) { return p.is_infinity(); }
  static Point negated(const Point& p) { return -p; }

  struct Scratch {
    std::vector<F> dx, prefix;
  };

  // out[targets[i]] = base[refs[2i]] + base[refs[2i+1]]. A pair with equal x makes the whole batch return false with
  // nothing written; infinities must not be referenced. Targets may overwrite references of their own pair only.
  static bool add(const Point* base, const uint32_t* refs, size_t count, Point* out, const uint32_t* targets,
                  Scratch& scratch) {
    if (scratch.dx.size() < count) scratch.dx.resize(count), scratch.prefix.resize(count);
    F* dx = scratch.dx.data();
    F* prefix = scratch.prefix.data();
    F product = F::one();
    constexpr size_t ahead = 8;
    for (size_t i = 0; i < count; i++) {
      if (i + ahead < count) {
        __builtin_prefetch(&base[refs[2 * (i + ahead)] & ~negate_bit]);
        __builtin_prefetch(&base[refs[2 * (i + ahead) + 1] & ~negate_bit]);
      }
      dx[i] = base[refs[2 * i + 1] & ~negate_bit].x - base[refs[2 * i] & ~negate_bit].x;
      prefix[i] = product;
      product *= dx[i];
    }
    if (product.is_zero()) return false;
    F inverse = product.inverse();
    for (size_t i = count; i-- > 0;) {
      const uint32_t r1 = refs[2 * i], r2 = refs[2 * i + 1];
      const Point &p1 = base[r1 & ~negate_bit], &p2 = base[r2 & ~negate_bit];
      const F y1 = r1 & negate_bit ? -p1.y : p1.y;
      const F dy = (r2 & negate_bit ? -p2.y : p2.y) - y1;
      const F lambda = dy * (inverse * prefix[i]);
      inverse *= dx[i];
      const F x3 = lambda.square() - p1.x - p2.x;
      const F y3 = lambda * (p1.x - x3) - y1;
      out[targets[i]] = {x3, y3};
    }
    return true;
  }
};

// The kernel in use for each group.
template <class F>
using Lanes = ScalarLanes<F>;

// The same sum when pairs may be equal, opposite or infinite. Returns true when some result is infinity.
template <class L>
bool add_carefully(const typename L::Point* base, const uint32_t* refs, size_t count, typename L::Point* out,
                   const uint32_t* targets) {
  using F = typename L::Coordinate;
  enum class Case : uint8_t { plain, first, second, none };
  std::vector<F> divisor(count, F::one());
  std::vector<Case> cases(count, Case::plain);
  const auto load = [&](uint32_t ref) {
    const Affine<F> p = L::from_table(base[ref & ~negate_bit]);
    return ref & negate_bit ? -p : p;
  };
  bool infinite = false;
  for (size_t i = 0; i < count; i++) {
    const Affine<F> p = load(refs[2 * i]), q = load(refs[2 * i + 1]);
    if (p.is_infinity()) {
      cases[i] = Case::second;
      infinite |= q.is_infinity();
    } else if (q.is_infinity()) {
      cases[i] = Case::first;
    } else if (!(p.x == q.x)) {
      divisor[i] = q.x - p.x;
    } else if (p.y == q.y && !p.y.is_zero()) {
      divisor[i] = p.y.doubled();
    } else {
      cases[i] = Case::none;
      infinite = true;
    }
  }
  batch_inverse(divisor.data(), count);
  for (size_t i = 0; i < count; i++) {
    const Affine<F> p = load(refs[2 * i]), q = load(refs[2 * i + 1]);
    Affine<F> sum = Affine<F>::infinity();
    if (cases[i] == Case::first) sum = p;
    if (cases[i] == Case::second) sum = q;
    if (cases[i] == Case::plain) {
      const F xx = p.x.square();
      const F lambda = (p.x == q.x ? xx.doubled() + xx : q.y - p.y) * divisor[i];
      sum.x = lambda.square() - p.x - q.x;
      sum.y = lambda * (p.x - sum.x) - p.y;
    }
    out[targets[i]] = L::to_table(sum);
  }
  return infinite;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
