// Which addition kernel this translation unit uses, and the addition of pairs that no kernel takes.
#pragma once
#ifdef VERINFER_IFMA
#include "ifma-lanes.hpp"
#else
#include "scalar-lanes.hpp"
#endif

namespace verinfer {
inline namespace VERINFER_ISA {

#ifdef VERINFER_IFMA
template <class F>
using Lanes = IfmaLanes<F>;
#else
template <class F>
using Lanes = ScalarLanes<F>;
#endif

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
