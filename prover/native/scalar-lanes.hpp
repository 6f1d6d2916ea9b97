// Adding many independent pairs of affine points with one shared inversion.
//
//   lambda = (y2 - y1)/(x2 - x1),  x3 = lambda^2 - x1 - x2,  y3 = lambda (x1 - x3) - y1      (5M + 1S + inversion/n)
//
// A reference is an index into a table of points; bit 31 negates the point. `ScalarLanes` is the plain kernel; other
// kernels (ifma-lanes.hpp) hold their points in a form of their own and define the same four members.
#pragma once
#include <algorithm>

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

  // Doubles points in place; none is infinity or of order two.
  static void double_all(Point* points, size_t count, Scratch& scratch) {
    scratch.dx.resize(std::max(scratch.dx.size(), count));
    F* divisor = scratch.dx.data();
    for (size_t i = 0; i < count; i++) divisor[i] = points[i].y.doubled();
    batch_inverse(divisor, count);
    for (size_t i = 0; i < count; i++) {
      Point& p = points[i];
      const F xx = p.x.square(), lambda = (xx.doubled() + xx) * divisor[i];
      const F x3 = lambda.square() - p.x.doubled();
      p = {x3, lambda * (p.x - x3) - p.y};
    }
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
