// L_i(τ) over the 2^k-th roots of unity: ω^i(τ^n − 1) / (n(τ − ω^i)), τ outside the domain. Twin: lagrangeAt in qap.ts.
#pragma once
#include "ntt.hpp"
#include "secret.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

// out[j] = L_(first + step·j)(τ)
inline SecretVector<Fr> lagrange_at(const Fr& tau, unsigned log_size, size_t first = 0, size_t step = 1) {
  const size_t n = size_t(1) << log_size;
  const Fr root = root_of_unity(log_size), stride = root.pow(uint64_t(step));
  const Fr scale = (tau.pow(uint64_t(n)) - Fr::one()) * Fr::from_u64(n).inverse();
  SecretVector<Fr> out, prefix;
  out.reserve(n / step);
  prefix.reserve(n / step);
  // Prefix products of τ − ω^i, then one inversion on the way back.
  Fr power = root.pow(uint64_t(first)), product = Fr::one();
  for (size_t i = first; i < n; i += step, power *= stride) {
    out.push_back(power);
    prefix.push_back(product);
    product *= tau - power;
  }
  product = product.inverse();
  for (size_t j = out.size(); j-- > 0;) {
    const Fr inverse = product * prefix[j];
    product *= tau - out[j];
    out[j] *= scale * inverse;
  }
  return out;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
