// Groth16 proving (eprint 2016/260) with a snarkjs key. With witness w and random r, s:
//
//   A = alpha + sum w_i·A_i + r·delta            B = beta + sum w_i·B_i + s·delta     (B in G2, and again in G1)
//   C = sum_private w_i·C_i + sum h_j·H_j + s·A + r·B1 - r·s·delta
//
// h_j = (a·b - c)(zeta·w^j): a, b, c interpolate the rows' values on the domain, and the H points are a Lagrange basis
// of the odd coset, so neither a division by Z nor a seventh transform is needed. Twin: prover/prove.ts, prover/qap.ts.
#pragma once
#include <chrono>

#include "verify.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

class Prover {
 public:
  Prover(const Key& key, const ProveRequest& request)
      : key_(key), request_(request), threads_(std::max(1u, request.threads)) {}

  Bytes run() {
    started_ = Clock::now();
    take_witness();
    multiply_rows();
    finished(Stage::abc);
    Fr* const polynomials[3] = {a_.data(), b_.data(), c_.data()};
    extend(polynomials, 3, key_.domain, *key_.twiddles, threads_, cancel());
    finished(Stage::ntt);
    sum_witness();
    finished(Stage::msm_witness);
    const G1 h = sum_h();
    finished(Stage::msm_h);
    const Proof proof = assemble(h);
    std::vector<Limbs> signals(key_.publics);
    for (uint32_t i = 0; i < key_.publics; i++) signals[i] = wire_value(i + 1);
    if (!verify_one(key_.verifying, proof, signals.data()))
      throw EngineError(ErrorKind::unsatisfied, "witness", "every constraint", "satisfied", "a violated one");
    Bytes out;
    put(out, proof.a), put(out, proof.b), put(out, proof.c);
    finished(Stage::verify);
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Key& key_;
  const ProveRequest& request_;
  const unsigned threads_;
  const Cancellation never_;
  Clock::time_point started_;

  SecretVector<int32_t> small_;   // large_mark where large
  SecretVector<int32_t> addends_;  // 0 where large
  std::vector<uint32_t> large_wires_;
  SecretVector<Limbs> large_;
  SecretVector<Fr> large_montgomery_;
  SecretVector<Fr> a_, b_, c_;
  G1 sum_a_, sum_b1_, sum_c_;
  G2 sum_b2_;

  const Cancellation& cancel() const { return request_.cancel ? *request_.cancel : never_; }

  void finished(Stage stage) {
    cancel().check();
    const Clock::time_point now = Clock::now();
    if (request_.on_stage) request_.on_stage(stage, std::chrono::duration<double, std::milli>(now - started_).count());
    started_ = now;
  }

  [[noreturn]] static void refuse(const std::string& what, const std::string& expected, const std::string& got) {
    throw EngineError(ErrorKind::malformed_witness, "witness", what, expected, got);
  }

  void take_witness() {
    const CompactWitness& w = request_.witness;
    if (w.wire_count != key_.wires) refuse("wire count", std::to_string(key_.wires), std::to_string(w.wire_count));
    if (w.large_count > w.wire_count) refuse("large wires", "at most one per wire", std::to_string(w.large_count));
    small_.assign(w.small, w.small + w.wire_count);
    addends_ = small_;
    large_wires_.reserve(w.large_count);
    large_.reserve(w.large_count);
    for (size_t i = 0; i < w.large_count; i++) {
      const uint32_t wire = w.large_wires[i];
      if (wire >= key_.wires || (i > 0 && wire <= w.large_wires[i - 1]))
        refuse("large wires", "ascending, below the wire count", std::to_string(wire));
      Limbs value;
      std::memcpy(value.data(), w.large_values + 32 * i, 32);
      if (!less(value, FrModulus::p)) refuse("large value " + std::to_string(i), "below r", "a larger number");
      large_wires_.push_back(wire);
      large_.push_back(value);
      small_[wire] = WitnessView::large_mark;
      addends_[wire] = 0;
    }
    move_extreme_wires();
    if (wire_value(0) != Limbs{1, 0, 0, 0}) refuse("wire 0", "1", "another value");
    large_montgomery_.resize(large_.size());
    for (size_t i = 0; i < large_.size(); i++) large_montgomery_[i] = Fr::from_canonical(large_[i]);
  }

  // -2^31 itself is the mark: a wire with that value becomes a large one.
  void move_extreme_wires() {
    size_t marked = 0;
    for (const int32_t v : small_) marked += v == WitnessView::large_mark;
    if (marked == large_wires_.size()) return;
    SecretVector<Limbs> values;
    std::vector<uint32_t> wires;
    size_t at = 0;
    for (uint32_t wire = 0; wire < small_.size(); wire++) {
      if (small_[wire] != WitnessView::large_mark) continue;
      const bool known = at < large_wires_.size() && large_wires_[at] == wire;
      wires.push_back(wire);
      values.push_back(known ? large_[at++] : sub_limbs(FrModulus::p, Limbs{uint64_t(1) << 31, 0, 0, 0}));
      addends_[wire] = 0;
    }
    large_wires_ = std::move(wires);
    large_ = std::move(values);
  }

  Limbs wire_value(uint32_t wire) const {
    const int32_t v = small_[wire];
    if (v == WitnessView::large_mark)
      return large_[size_t(std::lower_bound(large_wires_.begin(), large_wires_.end(), wire) - large_wires_.begin())];
    return v >= 0 ? Limbs{uint64_t(v), 0, 0, 0} : sub_limbs(FrModulus::p, Limbs{uint64_t(-int64_t(v)), 0, 0, 0});
  }

  // a and b carry the factor 1/n that `extend` leaves out; so must c = a·b.
  void multiply_rows() {
    const size_t n = key_.domain;
    a_.resize(n), b_.resize(n), c_.resize(n);
    const WitnessView view{small_.data(), {large_wires_.data(), large_wires_.size()}, large_montgomery_.data()};
    const Fr size = Fr::from_u64(n);
    const RowProduct product(key_.coefficients, view, size.inverse());
    const auto row = [&](const Matrix& m, size_t i) {
      return product(m.entries.data() + m.starts[i], m.entries.data() + m.starts[i + 1]);
    };
    parallel_ranges(threads_, n, cancel(), [&](size_t low, size_t high) {
      for (size_t i = low; i < high; i++) {
        a_[i] = row(key_.rows_a, i);
        b_[i] = row(key_.rows_b, i);
        c_[i] = a_[i] * b_[i] * size;
      }
    });
  }

  // The four sums over the witness. Small values go by ranges of wires, the slowest table first; large ones follow.
  void sum_witness() {
    const size_t n = key_.wires, offset = size_t(key_.publics) + 1, privates = n - offset;
    const size_t pieces = std::clamp<size_t>(n / 8192, 1, size_t(threads_) * 2);
    std::vector<G2> b2(pieces);
    std::vector<G1> a(pieces), b1(pieces), c(pieces);
    struct Worker {
      MsmWorker<Lanes<Fq>> g1;
      MsmWorker<Lanes<Fq2>> g2;
    };
    std::vector<std::unique_ptr<Worker>> workers(threads_);
    parallel_tasks(threads_, 4 * pieces, cancel(), [&](size_t t, unsigned w) {
      if (!workers[w]) workers[w] = std::make_unique<Worker>();
      const size_t i = t % pieces, low = range_start(n, pieces, i), high = range_start(n, pieces, i + 1);
      const auto g1 = [&](const Table<Fq>& table, const int32_t* values, size_t from, size_t to) {
        return msm_small<Lanes<Fq>>(table.points.data(), table.absent_bits(), values, from, to, workers[w]->g1, cancel());
      };
      if (t / pieces == 0)
        b2[i] = msm_small<Lanes<Fq2>>(key_.b2.points.data(), key_.b2.absent_bits(), addends_.data(), low, high,
                                      workers[w]->g2, cancel());
      if (t / pieces == 1) a[i] = g1(key_.a, addends_.data(), low, high);
      if (t / pieces == 2) b1[i] = g1(key_.b1, addends_.data(), low, high);
      if (t / pieces == 3)
        c[i] = g1(key_.c, addends_.data() + offset, range_start(privates, pieces, i), range_start(privates, pieces, i + 1));
    });
    sum_b2_ = sum_large(key_.b2, 0);
    sum_a_ = sum_large(key_.a, 0);
    sum_b1_ = sum_large(key_.b1, 0);
    sum_c_ = sum_large(key_.c, uint32_t(offset));
    for (size_t i = 0; i < pieces; i++) sum_b2_ += b2[i], sum_a_ += a[i], sum_b1_ += b1[i], sum_c_ += c[i];
  }

  template <class F>
  Xyzz<F> sum_large(const Table<F>& table, uint32_t first_wire) {
    std::vector<uint32_t> ids;
    SecretVector<Limbs> scalars;
    for (size_t i = 0; i < large_wires_.size(); i++) {
      if (large_wires_[i] < first_wire) continue;
      const uint32_t id = large_wires_[i] - first_wire;
      if (!table.absent.empty() && (table.absent[id / 64] >> (id % 64)) & 1) continue;
      ids.push_back(id);
      scalars.push_back(large_[i]);
    }
    const WindowPlan plan = plan_windows(ids.size(), 1);
    const DigitSource digits(plan);
    for (Limbs& s : scalars) s = digits.shifted(s);
    return msm_full<Lanes<F>>(table.points.data(), 0, ids.data(), scalars.data(), ids.size(), plan, threads_, cancel());
  }

  G1 sum_h() {
    const size_t n = key_.domain;
    const DigitSource digits(key_.h_plan);
    SecretVector<Limbs> scalars(n);
    parallel_ranges(threads_, n, cancel(), [&](size_t low, size_t high) {
      for (size_t i = low; i < high; i++) scalars[i] = digits.shifted((a_[i] * b_[i] - c_[i]).canonical());
    });
    a_ = {}, b_ = {}, c_ = {};
    return msm_full<Lanes<Fq>>(key_.h.points.data(), key_.h.count, nullptr, scalars.data(), n, key_.h_plan, threads_,
                               cancel());
  }

  Limbs blinding(size_t index) const {
    Limbs v;
    if (!request_.blinding.empty()) {
      std::memcpy(v.data(), request_.blinding.data() + 32 * index, 32);
      return v;
    }
    do {  // rejection: uniform below r
      random_bytes(v.data(), 32);
      v[3] &= 0x3fffffffffffffff;
    } while (!less(v, FrModulus::p));
    return v;
  }

  Proof assemble(const G1& h) {
    Limbs r = blinding(0), s = blinding(1);
    const VerifyingKey& vk = key_.verifying;
    const G1 delta1 = G1::from(key_.delta1);
    const G1 a = sum_a_ + vk.alpha + delta1.times(r);
    const G1 b1 = sum_b1_ + key_.beta1 + delta1.times(s);
    const G2 b2 = sum_b2_ + vk.beta + G2::from(vk.delta).times(s);
    const Limbs minus_rs = (-(Fr::from_canonical(r) * Fr::from_canonical(s))).canonical();
    const G1 c = sum_c_ + h + a.times(s) + b1.times(r) + delta1.times(minus_rs);
    explicit_bzero(r.data(), sizeof r);
    explicit_bzero(s.data(), sizeof s);
    return {a.affine(), b2.affine(), c.affine()};
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
