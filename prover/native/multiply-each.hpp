// points[i] *= scalars[i] for unrelated points and scalars: a contribution to powers of tau, the twiddles of a transform
// in the group, a new δ. Twin: multiplyEach in prover/kernels.ts.
//
// A batch of points walks its signed 4-bit digits together (doublings and additions are affine batches); the
// endomorphism halves the doublings on G1 and quarters them on G2. Time does not depend on the scalars, except through
// zero digits.
#pragma once
#include <algorithm>

#include "batch-add.hpp"
#include "endomorphism.hpp"
#include "secret.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class F>
class EachMultiplier {
 public:
  static constexpr size_t capacity = 256;

  EachMultiplier() : sums_(capacity), addends_(capacity), digits_(capacity) {
    for (auto& row : multiples_) row.resize(capacity);
  }

  // Canonical scalars; count ≤ capacity.
  void multiply(Affine<F>* points, const Limbs* scalars, size_t count) {
    for (size_t i = 0; i < count; i++) digits_[i] = split_digits<F>(scalars[i]);
    // multiples_[d - 1] = d·P for d = 1 … 8
    std::copy_n(points, count, multiples_[0].begin());
    std::copy_n(points, count, multiples_[1].begin());
    adder_.double_all(multiples_[1].data(), count);
    for (int d = 2; d < 8; d++) {
      std::copy_n(multiples_[d - 1].begin(), count, multiples_[d].begin());
      adder_.add(multiples_[d].data(), points, count);
    }
    std::fill_n(sums_.begin(), count, Affine<F>::infinity());
    for (unsigned j = Endomorphism<F>::digits; j-- > 0;) {
      for (int k = 0; k < 4; k++) adder_.double_all(sums_.data(), count);
      for (unsigned part = 0; part < Endomorphism<F>::parts; part++) {
        for (size_t i = 0; i < count; i++) addends_[i] = addend(i, part, j);
        adder_.add(sums_.data(), addends_.data(), count);
      }
    }
    std::copy_n(sums_.begin(), count, points);
  }

 private:
  Affine<F> addend(size_t i, unsigned part, unsigned j) const {
    const int digit = int((digits_[i][part][j / 16] >> (4 * (j % 16))) & 15) - 8;
    if (digit == 0) return Affine<F>::infinity();
    const Affine<F>& multiple = multiples_[size_t(digit < 0 ? -digit : digit) - 1][i];
    if (multiple.is_infinity()) return multiple;
    const Affine<F> image = endomorphism_(multiple, part);
    return digit < 0 ? -image : image;
  }

  Endomorphism<F> endomorphism_;
  BatchAdder<F> adder_;
  std::vector<Affine<F>> multiples_[8], sums_, addends_;
  std::vector<std::array<std::array<uint64_t, 2>, Endomorphism<F>::parts>> digits_;
};

// points[i] *= first·ratio^i
template <class F>
void multiply_progression(Affine<F>* points, size_t count, const Fr& first, const Fr& ratio, unsigned threads,
                          const Cancellation& cancel) {
  const size_t batch = EachMultiplier<F>::capacity;
  parallel_tasks(threads, (count + batch - 1) / batch, cancel, [&](size_t task, unsigned) {
    EachMultiplier<F> multiplier;
    const size_t from = task * batch, n = std::min(batch, count - from);
    SecretVector<Limbs> scalars(n);
    Fr scalar = first * ratio.pow(uint64_t(from));
    for (size_t i = 0; i < n; i++, scalar *= ratio) scalars[i] = scalar.canonical();
    multiplier.multiply(points + from, scalars.data(), n);
  });
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
