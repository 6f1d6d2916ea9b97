// A proving key in the form the prover uses: point tables, matrices by row, the verifying key as points.
//
// Everything read is checked: sizes, ranges, indices, every point on its curve, G2 points in the subgroup of order r.
// Infinity is allowed only where a wire is missing from a matrix (A, B1, B2, C); a key with gamma = delta has had no
// contribution, and whoever knows that can forge, so it is refused.
//
// With a derived key file the prover also has the points D_i = -sum_j E_ji·H_j, which stand for the C polynomial.
#pragma once
#include "backend.hpp"
#include "coefficients.hpp"
#include "ntt.hpp"
#include "section-file.hpp"
#include "table.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct VerifyingKey {
  G1Affine alpha;
  G2Affine beta, gamma, delta;
  std::vector<G1Affine> ic;
};

struct Key {
  uint32_t wires = 0, publics = 0, domain = 0;
  unsigned log_domain = 0;
  VerifyingKey verifying;
  G1Affine beta1, delta1;
  Table<Fq> a, b1, c, h;
  Table<Fq> d;  // empty without a derived key file
  Table<Fq2> b2;
  WindowPlan h_plan;
  Matrix rows_a, rows_b;
  Coefficients coefficients;
  std::shared_ptr<const Twiddles> twiddles;
};

namespace key_detail {

template <class F>
Affine<F> read_point(const SectionFile& file, uint64_t offset, const char* name) {
  Affine<F> p;
  file.read(offset, &p, sizeof p);
  if (!canonical_point(p) || p.is_infinity() || !on_curve(p))
    file.refuse(name, "a point on the curve, not infinity", "something else");
  return p;
}

inline G2Affine read_subgroup_point(const SectionFile& file, uint64_t offset, const char* name) {
  const G2Affine p = read_point<Fq2>(file, offset, name);
  if (!in_subgroup(G2::from(p))) file.refuse(name, "a point of order r", "a point outside the subgroup");
  return p;
}

inline void read_header(const SectionFile& file, Key& key) {
  uint32_t protocol;
  file.read(file.section(1, 4).offset, &protocol, 4);
  if (protocol != 1) file.refuse("protocol", "1 (Groth16)", std::to_string(protocol));
  const SectionFile::Section& s = file.section(2, 4 + 32 + 4 + 32 + 12 + 64 * 3 + 128 * 3);
  uint64_t at = s.offset;
  for (const auto& [name, p] : {std::pair{"q", FqModulus::p}, std::pair{"r", FrModulus::p}}) {
    struct {
      uint32_t size;
      uint8_t value[32];
    } prime;
    static_assert(sizeof prime == 36);
    file.read(at, &prime, sizeof prime);
    if (prime.size != 32 || std::memcmp(prime.value, p.data(), 32) != 0)
      file.refuse(name, "the prime of BN254", "another one");
    at += sizeof prime;
  }
  uint32_t counts[3];
  file.read(at, counts, sizeof counts);
  at += sizeof counts;
  key.wires = counts[0], key.publics = counts[1], key.domain = counts[2];
  while (key.log_domain < 32 && (uint64_t(1) << key.log_domain) < key.domain) key.log_domain++;
  if (key.domain < 2 || (key.domain & (key.domain - 1)) != 0 || key.log_domain > max_log_domain)
    file.refuse("domain size", "a power of two, 2 to 2^24", std::to_string(key.domain));
  if (key.wires < 1 || key.wires > (1u << 27)) file.refuse("wire count", "1 to 2^27", std::to_string(key.wires));
  if (key.publics >= key.wires) file.refuse("public count", "below the wire count", std::to_string(key.publics));
  key.verifying.alpha = read_point<Fq>(file, at, "alpha");
  key.beta1 = read_point<Fq>(file, at + 64, "beta (G1)");
  key.verifying.beta = read_subgroup_point(file, at + 128, "beta (G2)");
  key.verifying.gamma = read_subgroup_point(file, at + 256, "gamma");
  key.delta1 = read_point<Fq>(file, at + 384, "delta (G1)");
  key.verifying.delta = read_subgroup_point(file, at + 448, "delta (G2)");
  if (key.verifying.gamma == key.verifying.delta)
    file.refuse("delta", "contributed to", "equal to gamma: anyone could forge proofs for this key");
}

inline void read_matrices(const SectionFile& file, Key& key, const Cancellation& cancel) {
  struct __attribute__((packed)) Record {
    uint32_t matrix, row, wire;
    Limbs value;
  };
  static_assert(sizeof(Record) == 44);
  const SectionFile::Section& s = file.section(4);
  uint32_t count;
  if (s.size < 4) file.refuse("section 4 size", "at least 4", std::to_string(s.size));
  file.read(s.offset, &count, 4);
  file.section(4, 4 + uint64_t(count) * sizeof(Record));
  std::vector<Record> buffer(std::min<size_t>(count, 16384));
  const auto each = [&](auto&& visit) {
    for (size_t done = 0; done < count; done += buffer.size()) {
      cancel.check();
      const size_t n = std::min(buffer.size(), count - done);
      file.read(s.offset + 4 + done * sizeof(Record), buffer.data(), n * sizeof(Record));
      for (size_t i = 0; i < n; i++) visit(buffer[i]);
    }
  };
  Matrix* const matrices[2] = {&key.rows_a, &key.rows_b};
  for (Matrix* m : matrices) m->starts.assign(size_t(key.domain) + 1, 0);
  each([&](const Record& r) {
    if (r.matrix > 1) file.refuse("coefficient matrix", "0 or 1", std::to_string(r.matrix));
    if (r.row >= key.domain) file.refuse("coefficient row", "below the domain size", std::to_string(r.row));
    if (r.wire >= key.wires) file.refuse("coefficient wire", "below the wire count", std::to_string(r.wire));
    matrices[r.matrix]->starts[r.row + 1]++;
  });
  std::vector<uint32_t> cursors[2];
  for (int m = 0; m < 2; m++) {
    std::vector<uint32_t>& starts = matrices[m]->starts;
    for (size_t i = 0; i < key.domain; i++) starts[i + 1] += starts[i];
    matrices[m]->entries.resize(starts.back());
    cursors[m].assign(starts.begin(), starts.end() - 1);
  }
  each([&](const Record& r) {
    // the file may have changed since the first pass
    if (r.matrix > 1 || r.row >= key.domain || r.wire >= key.wires ||
        cursors[r.matrix][r.row] == matrices[r.matrix]->starts[r.row + 1])
      file.refuse("section 4", "unchanged while it is read", "different values");
    const Limbs value = r.value;
    if (!less(value, FrModulus::p)) file.refuse("coefficient value", "below r", "a larger number");
    matrices[r.matrix]->entries[cursors[r.matrix][r.row]++] = {r.wire, key.coefficients.intern(value)};
  });
  key.coefficients.finish();
}

// Allowed slices of the H table: powers of two while the copies fit the budget.
inline unsigned h_slices(const Key& key, uint64_t budget) {
  const uint64_t one = uint64_t(key.domain) * sizeof(G1Affine);
  unsigned slices = 1;
  double cost = 1e300;
  for (unsigned s = 1; s <= 32 && one * (s - 1) <= budget; s++) {
    const WindowPlan plan = plan_windows(key.domain, s);
    const double c = double(plan.windows) * key.domain + plan.sets * 2.6 * double(size_t(1) << (plan.bits - 1));
    if (c < cost * 0.92) cost = c, slices = s;
  }
  return slices;
}

// Whether sum rho_i·D_i + sum (E·rho)_j·H_j = 0 for random 128-bit rho_i, E the extension from the domain to the odd
// coset: D = -E^T·H, and points that are anything else pass with probability 2^-128.
inline bool derived_points_fit(const Key& key, unsigned threads, const Cancellation& cancel) {
  const size_t n = key.domain;
  std::vector<Limbs> weights(n);
  random_bytes(weights.data(), n * sizeof(Limbs));
  const Fr over_size = Fr::from_u64(n).inverse();  // `extend` leaves a factor n
  std::vector<Fr> extended(n);
  for (size_t i = 0; i < n; i++) {
    weights[i][2] = weights[i][3] = 0;
    extended[i] = Fr::from_canonical(weights[i]) * over_size;
  }
  Fr* const polynomial[1] = {extended.data()};
  extend(polynomial, 1, n, *key.twiddles, threads, cancel);
  const auto sum = [&](const Table<Fq>& table, const WindowPlan& plan, std::vector<Limbs>& scalars) {
    const DigitSource digits(plan);
    for (Limbs& s : scalars) s = digits.shifted(s);
    return msm_full<Lanes<Fq>>(table.points.data(), table.count, nullptr, scalars.data(), n, plan, threads, cancel);
  };
  G1 total = sum(key.d, plan_windows(n, 1, 128), weights);
  std::vector<Limbs>& scalars = weights;
  for (size_t i = 0; i < n; i++) scalars[i] = extended[i].canonical();
  total += sum(key.h, key.h_plan, scalars);
  return total.is_infinity();
}

// Reads the D points; everything else about the key is loaded. Writer and twin: prover/files/derived.ts.
inline void read_derived(const DerivedRequest& request, Key& key, unsigned threads, const Cancellation& cancel) {
  const SectionFile file(request.path, derived_format);
  struct {
    uint8_t zkey_digest[32];
    uint32_t domain;
  } header;
  static_assert(sizeof header == 36);
  file.read(file.section(1, sizeof header).offset, &header, sizeof header);
  if (std::memcmp(header.zkey_digest, request.zkey_digest.data(), sizeof header.zkey_digest) != 0)
    file.refuse("zkey digest", "that of the key", "another key's");
  if (header.domain != key.domain) file.refuse("domain size", std::to_string(key.domain), std::to_string(header.domain));
  key.d.read(file, file.section(2, uint64_t(key.domain) * sizeof(G1Affine)).offset, key.domain, "D", false, threads, cancel);
  if (!derived_points_fit(key, threads, cancel)) file.refuse("D", "derived from the key's H points", "other points");
}

}  // namespace key_detail

inline std::shared_ptr<const Key> load_key(const LoadRequest& request) {
  using namespace key_detail;
  const Cancellation never;
  const Cancellation& cancel = request.cancel ? *request.cancel : never;
  const SectionFile file(request.path, zkey_format);
  const auto key = std::make_shared<Key>();
  read_header(file, *key);
  const auto table = [&](auto& into, unsigned section, size_t count, const char* name, bool infinity_allowed) {
    using Element = typename std::decay_t<decltype(into)>::Element;
    into.read(file, file.section(section, uint64_t(count) * sizeof(Element)).offset, count, name, infinity_allowed,
              request.threads, cancel);
  };
  Table<Fq> ic;
  table(ic, 3, size_t(key->publics) + 1, "IC", false);
  for (size_t i = 0; i < ic.points.size(); i++) key->verifying.ic.push_back(ic.plain(i));
  // sizes first: nothing large is allocated for a header the sections do not bear out
  const size_t privates = size_t(key->wires) - key->publics - 1;
  file.section(5, uint64_t(key->wires) * 64), file.section(6, uint64_t(key->wires) * 64);
  file.section(7, uint64_t(key->wires) * 128), file.section(8, uint64_t(privates) * 64);
  file.section(9, uint64_t(key->domain) * 64);
  read_matrices(file, *key, cancel);
  table(key->a, 5, key->wires, "A", true);
  table(key->b1, 6, key->wires, "B1", true);
  table(key->b2, 7, key->wires, "B2", true);
  table(key->c, 8, privates, "C", true);
  table(key->h, 9, key->domain, "H", false);
  check_subgroup(file, key->b2, request.threads, cancel);
  const unsigned slices = h_slices(*key, request.memory_budget);
  key->h_plan = plan_windows(key->domain, slices);
  key->h.slice(key->h_plan, request.threads, cancel);
  key->twiddles = Twiddles::get(key->log_domain);
  if (!request.derived.path.empty()) read_derived(request.derived, *key, request.threads, cancel);
  return key;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
