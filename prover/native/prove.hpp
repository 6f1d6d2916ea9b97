// Groth16 proving (eprint 2016/260) with a snarkjs key. With witness w and random r, s:
//
//   A = alpha + sum w_i·A_i + r·delta            B = beta + sum w_i·B_i + s·delta     (B in G2, and again in G1)
//   C = sum_private w_i·C_i + sum h_j·H_j + s·A + r·B1 - r·s·delta
//
// h_j = (a·b - c)(zeta·w^j): a, b, c interpolate the rows' values on the domain, and the H points are a Lagrange basis
// of the odd coset, so neither a division by Z nor a seventh transform is needed. With the points D of a derived key file
//
//   sum h_j·H_j = sum (a·b)(zeta·w^j)·H_j + sum c(w^i)·D_i
//
// and c is never transformed: on the domain it is zero in most rows and small in nearly all others. Twin: prover/prove.ts.
#pragma once
#include <chrono>

#include "verify.hpp"
#include "witness.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

class Prover {
 public:
  Prover(const Key& key, const ProveRequest& request)
      : key_(key), request_(request), threads_(std::max(1u, request.threads)), started_(Clock::now()),
        witness_(request.witness, key.wires) {}

  Bytes run() {
    multiply_rows();
    finished(Stage::abc);
    Fr* const polynomials[3] = {a_.data(), b_.data(), c_.data()};
    extend(polynomials, c_free() ? 2 : 3, key_.domain, *key_.twiddles, threads_, cancel());
    finished(Stage::ntt);
    sum_witness();
    finished(Stage::msm_witness);
    const G1 h = sum_h();
    finished(Stage::msm_h);
    const Proof proof = assemble(h);
    std::vector<Limbs> signals(key_.publics);
    for (uint32_t i = 0; i < key_.publics; i++) signals[i] = witness_.value(i + 1);
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
  const Witness witness_;

  SecretVector<Fr> a_, b_;
  SecretVector<Fr> c_;  // only without the points D; with them, the rows' products stand in the next three
  SecretVector<int32_t> c_small_;
  SecretVector<uint32_t> c_large_rows_;
  SecretVector<Limbs> c_large_;
  G1 sum_a_, sum_b1_, sum_c_;
  G2 sum_b2_;

  const Cancellation& cancel() const { return request_.cancel ? *request_.cancel : never_; }

  void finished(Stage stage) {
    cancel().check();
    const Clock::time_point now = Clock::now();
    if (request_.on_stage) request_.on_stage(stage, std::chrono::duration<double, std::milli>(now - started_).count());
    started_ = now;
  }

  bool c_free() const { return key_.d.count > 0; }

  // a and b carry the factor 1/n that `extend` leaves out; so must c = a·b.
  void multiply_rows() {
    const size_t n = key_.domain;
    a_.resize(n), b_.resize(n);
    if (c_free()) c_small_.resize(n);
    else c_.resize(n);
    const Fr size = Fr::from_u64(n);
    const RowProduct product(key_.coefficients, witness_.view(), size.inverse());
    const auto row = [&](const Matrix& m, size_t i) {
      return product(m.entries.data() + m.starts[i], m.entries.data() + m.starts[i + 1]);
    };
    std::mutex guard;
    parallel_ranges(threads_, n, cancel(), [&](size_t low, size_t high) {
      SecretVector<uint32_t> rows;
      SecretVector<Limbs> values;
      for (size_t i = low; i < high; i++) {
        const RowValue a = row(key_.rows_a, i), b = row(key_.rows_b, i);
        a_[i] = a.scaled, b_[i] = b.scaled;
        if (!c_free()) {
          c_[i] = a.scaled * b.scaled * size;
        } else if (!small_product(a, b, c_small_[i])) {
          rows.push_back(uint32_t(i));
          values.push_back((a.scaled * b.scaled * size * size).canonical());
        }
      }
      const std::lock_guard<std::mutex> lock(guard);
      c_large_rows_.insert(c_large_rows_.end(), rows.begin(), rows.end());
      c_large_.insert(c_large_.end(), values.begin(), values.end());
    });
  }

  // false, and a product of 0, where the product needs more than 32 bits
  static bool small_product(const RowValue& a, const RowValue& b, int32_t& product) {
    const bool fits = a.is_integer && b.is_integer && !__builtin_mul_overflow(a.integer, b.integer, &product);
    if (!fits) product = 0;
    return fits;
  }

  // The sums over the witness, and that of the D points. Small values go by ranges of wires, the slowest table first;
  // large ones follow.
  void sum_witness() {
    const size_t n = key_.wires, offset = size_t(key_.publics) + 1, privates = n - offset;
    const size_t pieces = std::clamp<size_t>(n / 8192, 1, size_t(threads_) * 2);
    std::vector<G2> b2(pieces);
    std::vector<G1> a(pieces), b1(pieces), c(pieces), d(pieces);
    struct Worker {
      MsmWorker<Lanes<Fq>> g1;
      MsmWorker<Lanes<Fq2>> g2;
    };
    std::vector<std::unique_ptr<Worker>> workers(threads_);
    const int32_t* const values = witness_.addends();
    parallel_tasks(threads_, (c_free() ? 5 : 4) * pieces, cancel(), [&](size_t t, unsigned w) {
      if (!workers[w]) workers[w] = std::make_unique<Worker>();
      const size_t i = t % pieces;
      const auto sum = [&](const auto& table, const int32_t* scalars, size_t count, auto& worker) {
        return msm_small<typename std::decay_t<decltype(table)>::L>(table.points.data(), table.absent_bits(), scalars,
                                                                    range_start(count, pieces, i),
                                                                    range_start(count, pieces, i + 1), worker, cancel());
      };
      switch (t / pieces) {
        case 0: b2[i] = sum(key_.b2, values, n, workers[w]->g2); break;
        case 1: a[i] = sum(key_.a, values, n, workers[w]->g1); break;
        case 2: b1[i] = sum(key_.b1, values, n, workers[w]->g1); break;
        case 3: c[i] = sum(key_.c, values + offset, privates, workers[w]->g1); break;
        default: d[i] = sum(key_.d, c_small_.data(), key_.domain, workers[w]->g1);
      }
    });
    const std::vector<uint32_t>& wires = witness_.large_wires();
    sum_b2_ = sum_large(key_.b2, wires, witness_.large());
    sum_a_ = sum_large(key_.a, wires, witness_.large());
    sum_b1_ = sum_large(key_.b1, wires, witness_.large());
    sum_c_ = sum_large(key_.c, wires, witness_.large(), uint32_t(offset));
    if (c_free()) sum_c_ += sum_large(key_.d, c_large_rows_, c_large_);
    for (size_t i = 0; i < pieces; i++) sum_b2_ += b2[i], sum_a_ += a[i], sum_b1_ += b1[i], sum_c_ += c[i] + d[i];
  }

  // sum values[i]·P, P the point of index ids[i] - first; values of 64 bits, or r minus such, apart from the others.
  template <class F, class Ids>
  Xyzz<F> sum_large(const Table<F>& table, const Ids& ids, const SecretVector<Limbs>& values,
                    uint32_t first = 0) {
    struct {
      unsigned bits;
      SecretVector<uint32_t> ids;
      SecretVector<Limbs> scalars;
    } classes[2] = {{64, {}, {}}, {254, {}, {}}};
    const auto is_word = [](const Limbs& v) { return (v[1] | v[2] | v[3]) == 0; };
    for (size_t i = 0; i < ids.size(); i++) {
      if (ids[i] < first) continue;
      const uint32_t id = ids[i] - first;
      if (!table.absent.empty() && (table.absent[id / 64] >> (id % 64)) & 1) continue;
      const Limbs opposite = sub_limbs(FrModulus::p, values[i]);
      const bool is_negative = is_word(opposite);
      auto& into = classes[is_negative || is_word(values[i]) ? 0 : 1];
      into.ids.push_back(id | (is_negative ? negate_bit : 0));
      into.scalars.push_back(is_negative ? opposite : values[i]);
    }
    Xyzz<F> sum = Xyzz<F>::infinity();
    for (auto& c : classes) {
      if (c.ids.empty()) continue;
      const WindowPlan plan = plan_windows(c.ids.size(), 1, c.bits);
      const DigitSource digits(plan);
      for (Limbs& s : c.scalars) s = digits.shifted(s);
      sum += msm_full<Lanes<F>>(table.points.data(), 0, c.ids.data(), c.scalars.data(), c.ids.size(), plan, threads_, cancel());
    }
    return sum;
  }

  G1 sum_h() {
    const size_t n = key_.domain;
    const DigitSource digits(key_.h_plan);
    SecretVector<Limbs> scalars(n);
    parallel_ranges(threads_, n, cancel(), [&](size_t low, size_t high) {
      for (size_t i = low; i < high; i++) {
        const Fr product = a_[i] * b_[i];
        scalars[i] = digits.shifted((c_free() ? product : product - c_[i]).canonical());
      }
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
    const G1 a = sum_a_ + vk.alpha + multiply(delta1, r);
    const G1 b1 = sum_b1_ + key_.beta1 + multiply(delta1, s);
    const G2 b2 = sum_b2_ + vk.beta + multiply(G2::from(vk.delta), s);
    const Limbs minus_rs = (-(Fr::from_canonical(r) * Fr::from_canonical(s))).canonical();
    const G1 c = sum_c_ + h + multiply(a, s) + multiply(b1, r) + multiply(delta1, minus_rs);
    explicit_bzero(r.data(), sizeof r);
    explicit_bzero(s.data(), sizeof s);
    return {a.affine(), b2.affine(), c.affine()};
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
