// The discrete logarithms of a proving key from its trapdoor: the QAP at τ, combined. Twin: keyScalars in prover/setup.ts.
#pragma once
#include "domain.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct Matrix {
  const uint32_t *row_starts, *wires, *coefficient_ids;
};

struct Circuit {
  size_t wire_count, public_count, constraint_count;
  unsigned log_domain;
  Matrix a, b, c;
  // Montgomery form, by id.
  const Fr* coefficients;
};

struct Trapdoor {
  Fr alpha, beta, gamma, delta, tau;
};

// Writes canonical scalars: IC (public + 1), A, B (wires), C (wires − public − 1), H and D (domain each).
inline void key_scalars(const Circuit& circuit, const Trapdoor& trapdoor, Limbs* out) {
  const SecretVector<Fr> lagrange = lagrange_at(trapdoor.tau, circuit.log_domain);
  const auto columns = [&](const Matrix& m) {
    SecretVector<Fr> sums(circuit.wire_count, Fr::zero());
    for (size_t row = 0; row < circuit.constraint_count; row++)
      for (uint32_t k = m.row_starts[row]; k < m.row_starts[row + 1]; k++)
        sums[m.wires[k]] += circuit.coefficients[m.coefficient_ids[k]] * lagrange[row];
    return sums;
  };
  SecretVector<Fr> u = columns(circuit.a);
  for (size_t s = 0; s <= circuit.public_count; s++) u[s] += lagrange[circuit.constraint_count + s];
  const SecretVector<Fr> v = columns(circuit.b), w = columns(circuit.c);

  const Fr over_gamma = trapdoor.gamma.inverse(), over_delta = trapdoor.delta.inverse();
  const size_t wires = circuit.wire_count, first_private = circuit.public_count + 1;
  Limbs *ic = out, *a = ic + first_private, *b = a + wires, *c = b + wires, *h = c + (wires - first_private);
  for (size_t i = 0; i < wires; i++) {
    a[i] = u[i].canonical();
    b[i] = v[i].canonical();
    const Fr combined = trapdoor.beta * u[i] + trapdoor.alpha * v[i] + w[i];
    if (i < first_private) ic[i] = (combined * over_gamma).canonical();
    else c[i - first_private] = (combined * over_delta).canonical();
  }
  const SecretVector<Fr> odd = lagrange_at(trapdoor.tau, circuit.log_domain + 1, 1, 2);
  for (size_t i = 0; i < odd.size(); i++) h[i] = (odd[i] * over_delta).canonical();
  const Fr half_vanishing = ((trapdoor.tau.pow(uint64_t(lagrange.size())) - Fr::one()) * over_delta).half();
  Limbs* const d = h + odd.size();
  for (size_t i = 0; i < lagrange.size(); i++) d[i] = (lagrange[i] * half_vanishing).canonical();
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
