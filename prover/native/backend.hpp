// What the addon sees of the engine: plain bytes in, plain bytes out, one implementation per instruction set.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "error.hpp"
#include "threads.hpp"

namespace verinfer {

using Bytes = std::vector<uint8_t>;

struct CompactWitness {
  const int32_t* small = nullptr;
  size_t wire_count = 0;
  const uint32_t* large_wires = nullptr;
  const uint8_t* large_values = nullptr;  // 32 bytes little-endian each
  size_t large_count = 0;
};

enum class Stage { abc, ntt, msm_witness, msm_h, verify };

struct ProveRequest {
  CompactWitness witness;
  unsigned threads = 1;
  const Cancellation* cancel = nullptr;
  std::function<void(Stage, double wall_ms)> on_stage;
  // r and s, 32 bytes little-endian each, for tests; empty: drawn from the operating system.
  Bytes blinding;
};

// A file of points derived from a key (prover/files/derived.ts); an empty path for none.
struct DerivedRequest {
  std::string path;
  std::array<uint8_t, 32> zkey_digest{};  // what it must be bound to
};

struct LoadRequest {
  std::string path;
  DerivedRequest derived;
  uint64_t memory_budget = 0;  // for tables derived from the key
  unsigned threads = 1;
  const Cancellation* cancel = nullptr;
};

struct KeyInfo {
  uint32_t wires, publics, domain;
  uint64_t table_bytes;
  unsigned h_slices;
  unsigned transforms;  // a proof: 6, or 4 with a derived key file
  // verifyingKeyBytes of prover/codec.ts: alpha, beta, gamma, delta, IC; big-endian, c1 before c0
  Bytes verifying_key;
};

// A loaded key: immutable, shared by all threads of the process.
class ProvingKey {
 public:
  virtual ~ProvingKey() = default;
  virtual const KeyInfo& info() const = 0;
  // 256 proof bytes, self-verified; EngineError::unsatisfied when they do not verify.
  virtual Bytes prove(const ProveRequest&) const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  virtual std::shared_ptr<const ProvingKey> load(const LoadRequest&) const = 0;
  // Checks proofs of one key: strict bytes (see prover/codec.ts), then the pairing equation. Several proofs are folded
  // with random weights. `signals` holds 32 big-endian bytes per signal, the proofs' lists one after another.
  virtual bool verify(const Bytes& verifying_key, const Bytes& proofs, const Bytes& signals, unsigned threads) const = 0;
  // One kernel on raw operands, for agreement tests against the TypeScript twins and for timing. See kernel-table.hpp.
  virtual Bytes kernel(const std::string& name, const std::vector<Bytes>& operands) const = 0;
};

}  // namespace verinfer
