// Buffers in, buffers out. Points are in file form (files/points.ts), scalars 32 bytes little-endian canonical, index
// lists u32 little-endian. Compiled once per instruction set.
#include "kernels.hpp"

#include "encoding.hpp"
#include "fixed-base.hpp"
#include "group-transform.hpp"
#include "key-scalars.hpp"
#include "sparse-sum.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {
namespace {

static_assert(sizeof(G1Affine) == 64 && sizeof(G2Affine) == 128 && sizeof(Limbs) == 32);

struct Call {
  const std::vector<ByteSpan>& inputs;
  uint8_t* output;
  size_t output_size;
  unsigned threads;
  const Cancellation& cancel;
};

[[noreturn]] void mismatch(const char* what) { throw std::invalid_argument(std::string("kernel: ") + what); }
void require(bool condition, const char* what) {
  if (!condition) mismatch(what);
}

// A copy: a JavaScript buffer is not aligned for our types.
template <class T, class Vector = std::vector<T>>
Vector copied(const ByteSpan& bytes) {
  require(bytes.size % sizeof(T) == 0, "input length");
  Vector out(bytes.size / sizeof(T));
  if (bytes.size != 0) std::memcpy(static_cast<void*>(out.data()), bytes.data, bytes.size);
  return out;
}

SecretVector<Limbs> scalars_of(const ByteSpan& bytes) {
  auto scalars = copied<Limbs, SecretVector<Limbs>>(bytes);
  for (const Limbs& s : scalars) require(less(s, FrModulus::p), "a scalar is not below r");
  return scalars;
}

Fr scalar_of(const ByteSpan& bytes, size_t index = 0) {
  Limbs s;
  require(bytes.size >= 32 * (index + 1), "scalar length");
  std::memcpy(&s, bytes.data + 32 * index, 32);
  require(less(s, FrModulus::p), "a scalar is not below r");
  return Fr::from_canonical(s);
}

Fq reduced(const Fq& v) { return {v.reduced()}; }
Fq2 reduced(const Fq2& v) { return {reduced(v.c0), reduced(v.c1)}; }

template <class F>
void put(const std::vector<Affine<F>>& points, const Call& call) {
  require(call.output_size == points.size() * sizeof(Affine<F>), "output length");
  for (size_t i = 0; i < points.size(); i++) {
    const Affine<F> p{reduced(points[i].x), reduced(points[i].y)};
    std::memcpy(call.output + i * sizeof(p), &p, sizeof(p));
  }
}

template <class F>
Affine<F> generator();
template <>
G1Affine generator<Fq>() { return g1_generator(); }
template <>
G2Affine generator<Fq2>() { return g2_generator(); }

// scalars → points
template <class F>
void multiply_generator(const Call& call) {
  require(call.inputs.size() == 1, "inputs");
  const auto scalars = scalars_of(call.inputs[0]);
  std::vector<Affine<F>> out(scalars.size());
  FixedBase<F>(generator<F>(), scalars.size()).multiply(scalars.data(), out.data(), out.size(), call.threads, call.cancel);
  put(out, call);
}

// points, first, ratio, index of the first point (u32) → points: points[i] *= first·ratio^(index + i)
template <class F>
void multiply_progression_kernel(const Call& call) {
  require(call.inputs.size() == 4, "inputs");
  auto points = copied<Affine<F>>(call.inputs[0]);
  const auto index = copied<uint32_t>(call.inputs[3]);
  require(index.size() == 1, "one index");
  const Fr ratio = scalar_of(call.inputs[2]), first = scalar_of(call.inputs[1]) * ratio.pow(uint64_t(index[0]));
  multiply_progression(points.data(), points.size(), first, ratio, call.threads, call.cancel);
  put(points, call);
}

// points, a power of two of them → points
template <class F>
void lagrange(const Call& call) {
  require(call.inputs.size() == 1, "inputs");
  auto points = copied<Affine<F>>(call.inputs[0]);
  unsigned log_size = 0;
  while ((size_t(1) << log_size) < points.size()) log_size++;
  require(points.size() == size_t(1) << log_size && log_size <= 27, "a power of two of points");
  lagrange_points(points.data(), log_size, call.threads, call.cancel);
  put(points, call);
}

// bases, starts, rows, ids, coefficients → points
template <class F>
void sparse_sums_kernel(const Call& call) {
  require(call.inputs.size() == 5, "inputs");
  const auto bases = copied<Affine<F>>(call.inputs[0]);
  const auto starts = copied<uint32_t>(call.inputs[1]), rows = copied<uint32_t>(call.inputs[2]),
             ids = copied<uint32_t>(call.inputs[3]);
  std::vector<SignedDigits> coefficients;
  for (const Limbs& c : scalars_of(call.inputs[4])) coefficients.emplace_back(c);
  require(!starts.empty() && starts.front() == 0 && starts.back() == rows.size() && rows.size() == ids.size(), "lists");
  for (size_t i = 1; i < starts.size(); i++) require(starts[i - 1] <= starts[i], "starts ascend");
  for (const uint32_t row : rows) require(row < bases.size(), "a row beyond the bases");
  for (const uint32_t id : ids) require(id < coefficients.size(), "an id beyond the coefficients");
  std::vector<Affine<F>> out(starts.size() - 1);
  sparse_sums(bases.data(), starts.data(), rows.data(), ids.data(), coefficients, out.data(), out.size(), call.threads,
              call.cancel);
  put(out, call);
}

// points, scalars → one point
template <class F>
void weighted_sum_kernel(const Call& call) {
  require(call.inputs.size() == 2, "inputs");
  const auto points = copied<Affine<F>>(call.inputs[0]);
  const auto scalars = scalars_of(call.inputs[1]);
  require(points.size() == scalars.size(), "as many scalars as points");
  unsigned bits = 1;
  for (const Limbs& s : scalars)
    for (unsigned limb = 4; limb-- > 0;)
      if (s[limb] != 0) {
        bits = std::max(bits, 64 * limb + 64 - unsigned(__builtin_clzll(s[limb])));
        break;
      }
  put(std::vector<Affine<F>>{
          weighted_sum(points.data(), scalars.data(), points.size(), bits, call.threads, call.cancel)},
      call);
}

// points, points → sums (points a + points b)
template <class F>
void add(const Call& call) {
  require(call.inputs.size() == 2, "inputs");
  auto sums = copied<Affine<F>>(call.inputs[0]);
  const auto addends = copied<Affine<F>>(call.inputs[1]);
  require(sums.size() == addends.size(), "as many addends as sums");
  const size_t batch = BatchAdder<F>::capacity;
  parallel_tasks(call.threads, (sums.size() + batch - 1) / batch, call.cancel, [&](size_t task, unsigned) {
    const size_t from = task * batch;
    BatchAdder<F>().add(sums.data() + from, addends.data() + from, std::min(batch, sums.size() - from));
  });
  put(sums, call);
}

// points → index of the first that is no member of the group, u32; 2^32 − 1 for none
template <class F>
void first_foreign(const Call& call) {
  require(call.inputs.size() == 1 && call.output_size == 4, "inputs");
  const auto points = copied<Affine<F>>(call.inputs[0]);
  std::atomic<uint32_t> first{UINT32_MAX};
  const size_t batch = 1024;
  parallel_tasks(call.threads, (points.size() + batch - 1) / batch, call.cancel, [&](size_t task, unsigned) {
    for (size_t i = task * batch; i < std::min(points.size(), (task + 1) * batch); i++) {
      if (is_member(points[i])) continue;
      uint32_t seen = first.load();
      while (uint32_t(i) < seen && !first.compare_exchange_weak(seen, uint32_t(i))) continue;
      return;
    }
  });
  const uint32_t found = first.load();
  std::memcpy(call.output, &found, 4);
}

template <class F>
void to_uncompressed(const Call& call) {
  require(call.inputs.size() == 1, "inputs");
  const auto points = copied<Affine<F>>(call.inputs[0]);
  require(call.output_size == points.size() * 2 * sizeof(F), "output length");
  parallel_ranges(call.threads, points.size(), call.cancel, [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) uncompressed(points[i], call.output + i * 2 * sizeof(F));
  });
}

template <class F>
void to_compressed(const Call& call) {
  require(call.inputs.size() == 1, "inputs");
  const auto points = copied<Affine<F>>(call.inputs[0]);
  require(call.output_size == points.size() * sizeof(F), "output length");
  parallel_ranges(call.threads, points.size(), call.cancel, [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) compressed(points[i], call.output + i * sizeof(F));
  });
}

// counts (wires, public, constraints, log domain; u32), 3 × (row starts, wires, ids), coefficients, trapdoor → scalars
void key_scalars_kernel(const Call& call) {
  require(call.inputs.size() == 12, "inputs");
  const auto counts = copied<uint32_t>(call.inputs[0]);
  require(counts.size() == 4 && counts[1] < counts[0] && counts[3] < 27, "counts");
  std::vector<Fr> coefficients;
  for (const Limbs& c : scalars_of(call.inputs[10])) coefficients.push_back(Fr::from_canonical(c));
  std::vector<uint32_t> lists[9];
  for (int i = 0; i < 9; i++) lists[i] = copied<uint32_t>(call.inputs[size_t(i) + 1]);
  for (int m = 0; m < 3; m++) {
    const auto &starts = lists[3 * m], &wires = lists[3 * m + 1], &ids = lists[3 * m + 2];
    require(starts.size() == size_t(counts[2]) + 1 && starts.front() == 0 && starts.back() == wires.size(), "row starts");
    require(wires.size() == ids.size(), "as many ids as wires");
    for (size_t i = 1; i < starts.size(); i++) require(starts[i - 1] <= starts[i], "row starts ascend");
    for (const uint32_t wire : wires) require(wire < counts[0], "a wire beyond the circuit");
    for (const uint32_t id : ids) require(id < coefficients.size(), "an id beyond the coefficients");
  }
  const Circuit circuit{counts[0], counts[1], counts[2], counts[3],
                        {lists[0].data(), lists[1].data(), lists[2].data()},
                        {lists[3].data(), lists[4].data(), lists[5].data()},
                        {lists[6].data(), lists[7].data(), lists[8].data()},
                        coefficients.data()};
  const size_t domain = size_t(1) << counts[3];
  require(size_t(counts[2]) + counts[1] + 1 <= domain, "the domain holds the rows");
  SecretVector<Limbs> out(3 * circuit.wire_count + 2 * domain);
  require(call.output_size == out.size() * sizeof(Limbs), "output length");
  const ByteSpan& secret = call.inputs[11];
  Trapdoor trapdoor{scalar_of(secret, 0), scalar_of(secret, 1), scalar_of(secret, 2), scalar_of(secret, 3),
                    scalar_of(secret, 4)};
  key_scalars(circuit, trapdoor, out.data());
  explicit_bzero(static_cast<void*>(&trapdoor), sizeof(trapdoor));
  std::memcpy(call.output, out.data(), call.output_size);
}

// scalar → 1/scalar, 0 for 0
void invert(const Call& call) {
  require(call.inputs.size() == 1 && call.inputs[0].size == 32 && call.output_size == 32, "one scalar");
  const Limbs inverse = scalar_of(call.inputs[0]).inverse().canonical();
  std::memcpy(call.output, &inverse, 32);
}

// f_k → Σ_k f_k·ω^(ik), a power of two of scalars; ω of domain.hpp. Radix 2, in order.
void transform(const Call& call) {
  require(call.inputs.size() == 1 && call.output_size == call.inputs[0].size, "as many scalars out as in");
  const auto scalars = scalars_of(call.inputs[0]);
  const size_t n = scalars.size();
  unsigned log_size = 0;
  while ((size_t(1) << log_size) < n) log_size++;
  require(n == size_t(1) << log_size && log_size <= 27, "a power of two of scalars");
  std::vector<Fr> values(n), powers(n / 2 + 1, Fr::one());
  for (size_t i = 0; i < n; i++) {
    size_t reversed = 0;
    for (unsigned bit = 0; bit < log_size; bit++) reversed |= ((i >> bit) & 1) << (log_size - 1 - bit);
    values[reversed] = Fr::from_canonical(scalars[i]);
  }
  const Fr root = root_of_unity(log_size);
  for (size_t i = 1; i < powers.size(); i++) powers[i] = powers[i - 1] * root;
  for (size_t half = 1; half < n; half *= 2) {
    call.cancel.check();
    for (size_t block = 0; block < n; block += 2 * half)
      for (size_t k = 0; k < half; k++) {
        Fr &low = values[block + k], &high = values[block + k + half];
        const Fr turned = high * powers[k * (n / (2 * half))];
        high = low - turned;
        low += turned;
      }
  }
  for (size_t i = 0; i < n; i++) {
    const Limbs value = values[i].canonical();
    std::memcpy(call.output + 32 * i, &value, 32);
  }
}

struct Entry {
  const char* name;
  void (*run)(const Call&);
};

constexpr Entry table[] = {
    {"g1.multiply-generator", multiply_generator<Fq>},  {"g2.multiply-generator", multiply_generator<Fq2>},
    {"g1.multiply-each", multiply_progression_kernel<Fq>}, {"g2.multiply-each", multiply_progression_kernel<Fq2>},
    {"g1.lagrange", lagrange<Fq>},                      {"g2.lagrange", lagrange<Fq2>},
    {"g1.sparse-sums", sparse_sums_kernel<Fq>},         {"g2.sparse-sums", sparse_sums_kernel<Fq2>},
    {"g1.weighted-sum", weighted_sum_kernel<Fq>},       {"g2.weighted-sum", weighted_sum_kernel<Fq2>},
    {"g1.add", add<Fq>},                                {"g2.add", add<Fq2>},
    {"g1.first-foreign", first_foreign<Fq>},            {"g2.first-foreign", first_foreign<Fq2>},
    {"g1.to-uncompressed", to_uncompressed<Fq>},        {"g2.to-uncompressed", to_uncompressed<Fq2>},
    {"g1.to-compressed", to_compressed<Fq>},            {"g2.to-compressed", to_compressed<Fq2>},
    {"key-scalars", key_scalars_kernel},               {"invert", invert},
    {"transform", transform},
};

}  // namespace

void run_kernel(const std::string& name, const std::vector<ByteSpan>& inputs, uint8_t* output, size_t output_size,
                unsigned threads, const Cancellation& cancel) {
  for (const Entry& entry : table) {
    if (name == entry.name) return entry.run({inputs, output, output_size, threads, cancel});
  }
  throw std::invalid_argument("kernel: no kernel called " + name);
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
