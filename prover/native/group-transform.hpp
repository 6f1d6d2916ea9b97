// The inverse Fourier transform of a vector of points: τ^i·P for i < n in, L_i(τ)·P out, L_i the Lagrange basis of the
// 2^k-th roots of unity. Decimation in frequency, then bit reversal; 1/n goes into the twiddles of the first level, so
// that it costs half a level. Twin: lagrange in prover/kernels.ts.
#pragma once
#include "ntt.hpp"
#include "multiply-each.hpp"
#include "threads.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

template <class F>
void lagrange_points(Affine<F>* points, unsigned log_size, unsigned threads, const Cancellation& cancel) {
  const size_t n = size_t(1) << log_size;
  if (n == 1) return;
  const Fr inverse_root = root_of_unity(log_size).inverse();
  std::vector<Fr> twiddles(n / 2);
  twiddles[0] = Fr::one();
  for (size_t i = 1; i < n / 2; i++) twiddles[i] = twiddles[i - 1] * inverse_root;
  const Fr scale = Fr::from_u64(n).inverse();

  const size_t batch = EachMultiplier<F>::capacity;
  for (size_t size = n; size > 1; size /= 2) {
    const size_t half = size / 2, stride = n / size;
    const bool is_first = size == n;
    parallel_tasks(threads, (n / 2 + batch - 1) / batch, cancel, [&](size_t task, unsigned) {
      const size_t from = task * batch, count = std::min(batch, n / 2 - from);
      BatchAdder<F> adder;
      EachMultiplier<F> multiplier;
      std::vector<Affine<F>> sums(count), differences(count), others(count);
      const auto low = [&](size_t i) { return (from + i) / half * size + (from + i) % half; };
      for (size_t i = 0; i < count; i++) {
        sums[i] = differences[i] = points[low(i)];
        others[i] = points[low(i) + half];
      }
      adder.add(sums.data(), others.data(), count);
      for (auto& p : others) p = -p;
      adder.add(differences.data(), others.data(), count);

      // Twiddle 1 costs nothing, so those rows are left out of the batch.
      std::vector<Affine<F>> turned;
      std::vector<Limbs> scalars;
      for (size_t i = 0; i < count; i++) {
        const size_t k = (from + i) % half;
        if (k == 0 && !is_first) continue;
        turned.push_back(differences[i]);
        scalars.push_back((is_first ? twiddles[k * stride] * scale : twiddles[k * stride]).canonical());
      }
      multiplier.multiply(turned.data(), scalars.data(), turned.size());
      for (size_t i = 0, t = 0; i < count; i++) {
        if ((from + i) % half != 0 || is_first) differences[i] = turned[t++];
      }
      if (is_first) {
        const std::vector<Limbs> scales(count, scale.canonical());
        multiplier.multiply(sums.data(), scales.data(), count);
      }
      for (size_t i = 0; i < count; i++) {
        points[low(i)] = sums[i];
        points[low(i) + half] = differences[i];
      }
    });
  }
  for (size_t i = 0, j = 0; i < n; i++) {
    if (i < j) std::swap(points[i], points[j]);
    size_t bit = n >> 1;
    for (; bit != 0 && (j & bit); bit >>= 1) j ^= bit;
    j |= bit;
  }
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
