// Many multiples of one base point: out[i] = scalars[i]·base. Twin: multiplyMany in prover/fixed-base.ts.
//
// K windows of c bits, table[w][d] = d·2^(cw)·base, and all scalars of a batch walk the windows together, so that each
// window is one batch of affine additions.
#pragma once
#include <algorithm>

#include "batch-add.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class F>
class FixedBase {
 public:
  // The table is worth 2^c additions a window; one scalar costs one addition a window.
  FixedBase(const Affine<F>& base, size_t scalar_count) : bits_(2) {
    while (bits_ < 14 && (size_t(1) << (bits_ + 3)) < scalar_count) bits_++;
    windows_ = (254 + bits_ - 1) / bits_;
    const size_t size = size_t(1) << bits_;
    table_.assign(windows_ * size, Affine<F>::infinity());
    BatchAdder<F> adder;
    Affine<F> unit = base;
    std::vector<Affine<F>> units(BatchAdder<F>::capacity);
    for (unsigned w = 0; w < windows_; w++) {
      Affine<F>* row = table_.data() + w * size;
      // row[d] = d·unit₀ for d < filled, and unit = filled·unit₀.
      for (size_t filled = 1; filled < size; filled *= 2) {
        for (size_t at = 0; at < filled; at += adder.capacity) {
          const size_t count = std::min(adder.capacity, filled - at);
          std::copy_n(row + at, count, row + filled + at);
          std::fill_n(units.begin(), count, unit);
          adder.add(row + filled + at, units.data(), count);
        }
        adder.double_all(&unit, 1);
      }
    }
  }

  // Canonical scalars.
  void multiply(const Limbs* scalars, Affine<F>* out, size_t count, unsigned threads, const Cancellation& cancel) const {
    const size_t batch = BatchAdder<F>::capacity;
    parallel_tasks(threads, (count + batch - 1) / batch, cancel, [&](size_t task, unsigned) {
      BatchAdder<F> adder;
      std::vector<Affine<F>> addends(batch);
      const size_t from = task * batch, n = std::min(batch, count - from);
      std::fill_n(out + from, n, Affine<F>::infinity());
      for (unsigned w = 0; w < windows_; w++) {
        const Affine<F>* row = table_.data() + (size_t(w) << bits_);
        for (size_t i = 0; i < n; i++) addends[i] = row[digit(scalars[from + i], w)];
        adder.add(out + from, addends.data(), n);
      }
    });
  }

 private:
  size_t digit(const Limbs& scalar, unsigned w) const {
    const unsigned at = bits_ * w, word = at / 64, shift = at % 64;
    uint64_t v = scalar[word] >> shift;
    if (shift + bits_ > 64 && word < 3) v |= scalar[word + 1] << (64 - shift);
    return size_t(v & ((uint64_t(1) << bits_) - 1));
  }

  unsigned bits_, windows_;
  std::vector<Affine<F>> table_;
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
