// Groth16 verification: e(A, B) = e(alpha, beta)·e(IC(x), gamma)·e(C, delta). Twin: prover/verify.ts.
#pragma once
#include "endomorphism.hpp"
#include "key.hpp"
#include "pairing.hpp"
#include "wire-format.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct Proof {
  G1Affine a;
  G2Affine b;
  G1Affine c;
};

// IC_0 + sum signals[i]·IC_(i+1), signals canonical.
inline G1 public_input_point(const VerifyingKey& key, const Limbs* signals, const Limbs& weight) {
  G1 sum = multiply(G1::from(key.ic[0]), weight);
  for (size_t i = 0; i + 1 < key.ic.size(); i++) sum += multiply(G1::from(key.ic[i + 1]), signals[i]);
  return sum;
}

inline bool verify_one(const VerifyingKey& key, const Proof& proof, const Limbs* signals) {
  return pairing_product_is_one({{-proof.a, proof.b},
                                 {key.alpha, key.beta},
                                 {public_input_point(key, signals, {1, 0, 0, 0}).affine(), key.gamma},
                                 {proof.c, key.delta}});
}

// All proofs at once, folded with random 128-bit weights w_i (w_0 = 1): the product over i of e(-w_i·A_i, B_i), times
// e((sum w_i)·alpha, beta), e(sum w_i·IC(x_i), gamma), e(sum w_i·C_i, delta). A false proof passes with probability 2^-128.
inline bool verify_all(const VerifyingKey& key, const std::vector<Proof>& proofs, const std::vector<Limbs>& signals,
                       unsigned threads) {
  if (proofs.empty()) return true;
  const size_t arity = key.ic.size() - 1, n = proofs.size();
  std::vector<Limbs> weights(n);
  random_bytes(weights.data(), n * sizeof(Limbs));
  for (Limbs& w : weights) w[2] = w[3] = 0;
  weights[0] = {1, 0, 0, 0};
  std::vector<Fr> folded(arity, Fr::zero());
  Fr total = Fr::zero();
  for (size_t i = 0; i < n; i++) {
    const Fr w = Fr::from_canonical(weights[i]);
    total += w;
    for (size_t j = 0; j < arity; j++) folded[j] += w * Fr::from_canonical(signals[i * arity + j]);
  }
  const size_t pieces = std::min<size_t>(n, size_t(threads) * 2);
  std::vector<Fq12> products(pieces);
  std::vector<G1> c_sums(pieces, G1::infinity());
  parallel_tasks(threads, pieces, Cancellation(), [&](size_t piece, unsigned) {
    std::vector<G1> scaled;
    const size_t low = range_start(n, pieces, piece), high = range_start(n, pieces, piece + 1);
    for (size_t i = low; i < high; i++) {
      scaled.push_back(-G1::from(proofs[i].a).times(weights[i]));
      c_sums[piece] += G1::from(proofs[i].c).times(weights[i]);
    }
    std::vector<G1Affine> affine(scaled.size());
    batch_affine(scaled.data(), affine.data(), scaled.size());
    std::vector<PairingInput> pairs;
    for (size_t i = low; i < high; i++) pairs.push_back({affine[i - low], proofs[i].b});
    products[piece] = miller_loop(pairs);
  });
  std::vector<Limbs> inputs;
  for (const Fr& f : folded) inputs.push_back(f.canonical());
  G1 c = G1::infinity();
  for (const G1& s : c_sums) c += s;
  Fq12 f = miller_loop({{G1::from(key.alpha).times(total.canonical()).affine(), key.beta},
                        {public_input_point(key, inputs.data(), total.canonical()).affine(), key.gamma},
                        {c.affine(), key.delta}});
  for (const Fq12& p : products) f = f * p;
  return final_exponentiation(f).is_one();
}

// The byte gate before the equation: exact lengths, canonical coordinates, points on curve, in subgroup and finite,
// signals below r.
inline bool verify_bytes(const Bytes& key_bytes, const Bytes& proof_bytes, const Bytes& signal_bytes, unsigned threads) {
  if (key_bytes.size() < 512 || (key_bytes.size() - 448) % 64 != 0) return false;
  VerifyingKey key;
  const uint8_t* p = key_bytes.data();
  if (!get(p, key.alpha) || !get(p, key.beta) || !get(p, key.gamma) || !get(p, key.delta)) return false;
  if (key.gamma == key.delta) return false;
  key.ic.resize((key_bytes.size() - 448) / 64);
  for (G1Affine& ic : key.ic)
    if (!get(p, ic)) return false;
  const size_t arity = key.ic.size() - 1, n = proof_bytes.size() / 256;
  if (proof_bytes.size() != n * 256 || signal_bytes.size() != n * arity * 32) return false;
  std::vector<Proof> proofs(n);
  p = proof_bytes.data();
  for (Proof& proof : proofs)
    if (!get(p, proof.a) || !get(p, proof.b) || !get(p, proof.c)) return false;
  std::vector<Limbs> signals(n * arity);
  for (size_t i = 0; i < signals.size(); i++) {
    signals[i] = get_limbs(signal_bytes.data() + 32 * i);
    if (!less(signals[i], FrModulus::p)) return false;
  }
  return n == 1 ? verify_one(key, proofs[0], signals.data()) : verify_all(key, proofs, signals, threads);
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
