// Affine additions and doublings of many independent pairs, with one field inversion a batch.
//
// An addition costs 2M + 1S for slope and result and 3M for its share of the inversion, against 10M + 2S mixed into
// XYZZ; the result is affine, as files hold it. Infinity, equal and opposite points are handled: keys that others
// made may hold any of them. Twin: addMany in prover/fixed-base.ts.
#pragma once
#include "curve.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class F>
class BatchAdder {
 public:
  // Batches of about this many pairs stay in the second-level cache.
  static constexpr size_t capacity = 512;

  BatchAdder() : denominators_(capacity), prefix_(capacity) {}

  // sums[i] += addends[i]; count ≤ capacity.
  void add(Affine<F>* sums, const Affine<F>* addends, size_t count) {
    for (size_t i = 0; i < count; i++) {
      F d = F::zero();
      if (!sums[i].is_infinity() && !addends[i].is_infinity()) {
        d = addends[i].x - sums[i].x;
        if (d.is_zero() && sums[i].y == addends[i].y) d = sums[i].y.doubled();
      }
      denominators_[i] = d;
    }
    invert(count);
    for (size_t i = 0; i < count; i++) {
      const Affine<F>& b = addends[i];
      Affine<F>& a = sums[i];
      if (b.is_infinity()) continue;
      if (a.is_infinity()) {
        a = b;
        continue;
      }
      if (denominators_[i].is_zero()) {
        a = Affine<F>::infinity();
        continue;
      }
      const F dx = b.x - a.x;
      const F slope = (dx.is_zero() ? tripled(a.x.square()) : b.y - a.y) * denominators_[i];
      const F x = slope.square() - a.x - b.x;
      a.y = slope * (a.x - x) - a.y;
      a.x = x;
    }
  }

  // points[i] *= 2. No point of order two: both groups have odd order.
  void double_all(Affine<F>* points, size_t count) {
    for (size_t i = 0; i < count; i++) denominators_[i] = points[i].y.doubled();
    invert(count);
    for (size_t i = 0; i < count; i++) {
      Affine<F>& a = points[i];
      if (a.is_infinity()) continue;
      const F slope = tripled(a.x.square()) * denominators_[i];
      const F x = slope.square() - a.x.doubled();
      a.y = slope * (a.x - x) - a.y;
      a.x = x;
    }
  }

 private:
  static F tripled(const F& v) { return v.doubled() + v; }

  // In place; zeros stay zero.
  void invert(size_t count) {
    F product = F::one();
    for (size_t i = 0; i < count; i++) {
      prefix_[i] = product;
      if (!denominators_[i].is_zero()) product *= denominators_[i];
    }
    product = product.inverse();
    for (size_t i = count; i-- > 0;) {
      const F v = denominators_[i];
      if (v.is_zero()) continue;
      denominators_[i] = product * prefix_[i];
      product *= v;
    }
  }

  std::vector<F> denominators_, prefix_;
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
