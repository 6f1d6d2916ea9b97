// Kernels by name on raw operands: what the agreement tests call and the bench times. Field elements are 32 bytes
// little-endian canonical, Fq2 is c0 then c1, points are x then y with zeros for infinity, counts are u32.
#pragma once
#include <chrono>

#include "prove.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

class KernelTable {
 public:
  explicit KernelTable(const std::vector<Bytes>& operands) : operands_(operands) {}

  Bytes run(const std::string& name) {
    if (name.starts_with("fr.")) return field<Fr>(name.substr(3));
    if (name.starts_with("fq.")) return field<Fq>(name.substr(3));
    if (name.starts_with("fq2.")) return field<Fq2>(name.substr(4));
    if (name.starts_with("g1.")) return group<Fq>(name.substr(3));
    if (name.starts_with("g2.")) return group<Fq2>(name.substr(3));
    if (name.starts_with("ntt.")) return transform(name.substr(4));
    if (name == "pairing.product-is-one") return pairing();
    unknown(name);
  }

 private:
  const std::vector<Bytes>& operands_;
  const Cancellation never_;

  [[noreturn]] static void unknown(const std::string& name) {
    throw EngineError(ErrorKind::system, "kernel", "name", "known", name);
  }
  [[noreturn]] static void mismatch() {
    throw EngineError(ErrorKind::system, "kernel", "operands", "of matching lengths, canonical", "others");
  }
  const Bytes& operand(size_t i) const {
    if (i >= operands_.size()) mismatch();
    return operands_[i];
  }

  template <class M>
  static Field<M> load(const uint8_t* p, const Field<M>*) {
    Limbs l;
    std::memcpy(l.data(), p, 32);
    if (!less(l, M::p)) mismatch();
    return Field<M>::from_canonical(l);
  }
  static Fq2 load(const uint8_t* p, const Fq2*) { return {load(p, (Fq*)nullptr), load(p + 32, (Fq*)nullptr)}; }
  template <class F>
  std::vector<F> load_all(size_t i) const {
    const Bytes& bytes = operand(i);
    if (bytes.size() % sizeof(F) != 0) mismatch();
    std::vector<F> out;
    for (size_t at = 0; at < bytes.size(); at += sizeof(F)) out.push_back(load(bytes.data() + at, (F*)nullptr));
    return out;
  }
  template <class T>
  std::vector<T> load_raw(size_t i) const {
    const Bytes& bytes = operand(i);
    std::vector<T> out(bytes.size() / sizeof(T));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }
  template <class F>
  std::vector<Affine<F>> load_points(size_t i) const {
    const std::vector<F> coordinates = load_all<F>(i);
    if (coordinates.size() % 2 != 0) mismatch();
    std::vector<Affine<F>> out;
    for (size_t k = 0; k < coordinates.size(); k += 2) {
      out.push_back({coordinates[k], coordinates[k + 1]});
      if (!out.back().is_infinity() && !on_curve(out.back())) mismatch();
    }
    return out;
  }

  template <class M>
  static void save(Bytes& out, const Field<M>& v) {
    const Limbs l = v.canonical();
    const auto* p = reinterpret_cast<const uint8_t*>(l.data());
    out.insert(out.end(), p, p + 32);
  }
  static void save(Bytes& out, const Fq2& v) { save(out, v.c0), save(out, v.c1); }
  template <class F>
  static void save(Bytes& out, const Affine<F>& p) { save(out, p.x), save(out, p.y); }
  template <class F>
  static Bytes saved(const std::vector<F>& values) {
    Bytes out;
    for (const F& v : values) save(out, v);
    return out;
  }

  template <class F>
  Bytes field(const std::string& op) {
    std::vector<F> a = load_all<F>(0);
    if (op == "inverse") {
      for (F& v : a) v = v.inverse();
    } else if (op == "batch-inverse") {
      batch_inverse(a.data(), a.size());
    } else if (op == "square") {
      for (F& v : a) v = v.square();
    } else {
      const std::vector<F> b = load_all<F>(1);
      if (a.size() != b.size()) mismatch();
      for (size_t i = 0; i < a.size(); i++) {
        if (op == "add")
          a[i] = a[i] + b[i];
        else if (op == "subtract")
          a[i] = a[i] - b[i];
        else if (op == "multiply")
          a[i] = a[i] * b[i];
        else
          unknown(op);
      }
    }
    return saved(a);
  }

  template <class F>
  Bytes group(const std::string& op) {
    using L = Lanes<F>;
    const std::vector<Affine<F>> points = load_points<F>(0);
    std::vector<Affine<F>> out;
    if (op == "multiply" || op == "multiply-split") {  // the second by the endomorphism: points of order r
      const std::vector<Limbs> scalars = load_raw<Limbs>(1);
      if (scalars.size() != points.size()) mismatch();
      for (size_t i = 0; i < points.size(); i++) {
        if (!less(scalars[i], FrModulus::p)) mismatch();
        const Xyzz<F> p = Xyzz<F>::from(points[i]);
        out.push_back((op == "multiply" ? p.times(scalars[i]) : verinfer::multiply(p, scalars[i])).affine());
      }
      return saved(out);
    }
    if (op == "on-subgroup") {
      Bytes verdicts;
      if constexpr (std::is_same_v<F, Fq2>)
        for (const Affine<F>& p : points) verdicts.push_back(in_subgroup(Xyzz<F>::from(p)));
      return verdicts;
    }
    std::vector<typename L::Point> table;
    for (const Affine<F>& p : points) table.push_back(L::to_table(p));
    if (op == "add-pairs") {  // references: two u32 a sum, bit 31 negates
      const std::vector<uint32_t> refs = load_raw<uint32_t>(1);
      std::vector<uint32_t> targets(refs.size() / 2);
      for (size_t i = 0; i < targets.size(); i++) targets[i] = uint32_t(i);
      for (const uint32_t ref : refs)
        if ((ref & ~negate_bit) >= table.size()) mismatch();
      std::vector<typename L::Point> sums(targets.size());
      typename L::Scratch scratch;
      bool infinite = false;
      for (const Affine<F>& p : points) infinite |= p.is_infinity();
      if (infinite || !L::add(table.data(), refs.data(), targets.size(), sums.data(), targets.data(), scratch))
        add_carefully<L>(table.data(), refs.data(), targets.size(), sums.data(), targets.data());
      for (const auto& p : sums) out.push_back(L::from_table(p));
      return saved(out);
    }
    if (op == "msm") {  // scalars, then [threads, slices, window bits or 0]
      Table<F> sliced;
      std::vector<uint32_t> ids;
      std::vector<Limbs> scalars = load_raw<Limbs>(1), kept;
      const std::vector<uint32_t> settings = load_raw<uint32_t>(2);
      if (scalars.size() != points.size() || settings.size() != 3 || settings[0] == 0 || settings[1] == 0) mismatch();
      WindowPlan plan = plan_windows(points.size(), settings[1]);
      if (settings[2] != 0) {
        if (settings[2] < 2 || settings[2] > 20) mismatch();
        plan.bits = settings[2], plan.windows = (255 + plan.bits - 1) / plan.bits;
        plan.sets = (plan.windows + plan.slices - 1) / plan.slices;
      }
      const DigitSource digits(plan);
      for (size_t i = 0; i < points.size(); i++) {
        if (!less(scalars[i], FrModulus::p)) mismatch();
        if (points[i].is_infinity()) continue;
        ids.push_back(uint32_t(sliced.points.size()));
        sliced.points.push_back(table[i]);
        kept.push_back(digits.shifted(scalars[i]));
      }
      sliced.count = sliced.points.size();
      sliced.slice(plan, settings[0], never_);
      out.push_back(msm_full<L>(sliced.points.data(), sliced.count, ids.data(), kept.data(), kept.size(), plan,
                                settings[0], never_)
                        .affine());
      return saved(out);
    }
    if (op == "msm-small") {  // int32 values
      const std::vector<int32_t> values = load_raw<int32_t>(1);
      if (values.size() != points.size()) mismatch();
      std::vector<uint64_t> absent(points.size() / 64 + 1, 0);
      for (size_t i = 0; i < points.size(); i++)
        if (points[i].is_infinity()) absent[i / 64] |= uint64_t(1) << (i % 64);
      MsmWorker<L> worker;
      out.push_back(msm_small<L>(table.data(), absent.data(), values.data(), 0, values.size(), worker, never_).affine());
      return saved(out);
    }
    unknown(op);
  }

  Bytes transform(const std::string& op) {
    std::vector<Fr> a = load_all<Fr>(0);
    const size_t n = a.size();
    unsigned k = 0;
    while ((size_t(1) << k) < n) k++;
    if (n == 0 || n != size_t(1) << k || k > max_log_domain) mismatch();
    const std::shared_ptr<const Twiddles> t = Twiddles::get(k);
    if (op == "time") {  // seconds of processor time of one inverse transform, as a double
      std::vector<double> times;
      for (int i = 0; i < 5; i++) times.push_back(timed([&] { inverse_transform(a.data(), n, *t); }));
      std::sort(times.begin(), times.end());
      Bytes out(sizeof(double));
      std::memcpy(out.data(), &times[times.size() / 2], sizeof(double));
      return out;
    }
    if (op == "inverse") {  // bit-reversed, n times too large
      inverse_transform(a.data(), n, *t);
    } else if (op == "extend") {  // n times too large; second operand: threads
      Fr* const one[1] = {a.data()};
      extend(one, 1, n, *t, load_raw<uint32_t>(1).at(0), never_);
    } else {
      unknown(op);
    }
    return saved(a);
  }

  template <class Fn>
  static double timed(Fn&& fn) {
    timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    fn();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return double(after.tv_sec - before.tv_sec) + 1e-9 * double(after.tv_nsec - before.tv_nsec);
  }

  Bytes pairing() {
    const std::vector<G1Affine> p = load_points<Fq>(0);
    const std::vector<G2Affine> q = load_points<Fq2>(1);
    if (p.size() != q.size()) mismatch();
    std::vector<PairingInput> pairs;
    for (size_t i = 0; i < p.size(); i++) pairs.push_back({p[i], q[i]});
    return {uint8_t(pairing_product_is_one(pairs))};
  }
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
