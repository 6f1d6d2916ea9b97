// The witness of one proof, checked and copied into memory that is wiped: small values, and the few that need the field.
#pragma once
#include "backend.hpp"
#include "coefficients.hpp"
#include "secret.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

class Witness {
 public:
  // Refuses other shapes than a key of `wires` wires takes, values from r on, and a wire 0 that is not 1.
  Witness(const CompactWitness& w, uint32_t wires) {
    if (w.wire_count != wires) refuse("wire count", std::to_string(wires), std::to_string(w.wire_count));
    if (w.large_count > w.wire_count) refuse("large wires", "at most one per wire", std::to_string(w.large_count));
    small_.assign(w.small, w.small + w.wire_count);
    addends_ = small_;
    large_wires_.reserve(w.large_count);
    large_.reserve(w.large_count);
    for (size_t i = 0; i < w.large_count; i++) {
      const uint32_t wire = w.large_wires[i];
      if (wire >= wires || (i > 0 && wire <= w.large_wires[i - 1]))
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
    if (value(0) != Limbs{1, 0, 0, 0}) refuse("wire 0", "1", "another value");
    montgomery_.resize(large_.size());
    for (size_t i = 0; i < large_.size(); i++) montgomery_[i] = Fr::from_canonical(large_[i]);
  }

  // By wire; 0 where the value is a large one.
  const int32_t* addends() const { return addends_.data(); }
  // Ascending.
  const std::vector<uint32_t>& large_wires() const { return large_wires_; }
  const SecretVector<Limbs>& large() const { return large_; }
  WitnessView view() const { return {small_.data(), {large_wires_.data(), large_wires_.size()}, montgomery_.data()}; }

  Limbs value(uint32_t wire) const {
    const int32_t v = small_[wire];
    if (v == WitnessView::large_mark)
      return large_[size_t(std::lower_bound(large_wires_.begin(), large_wires_.end(), wire) - large_wires_.begin())];
    return v >= 0 ? Limbs{uint64_t(v), 0, 0, 0} : sub_limbs(FrModulus::p, Limbs{uint64_t(-int64_t(v)), 0, 0, 0});
  }

 private:
  SecretVector<int32_t> small_;  // large_mark where large
  SecretVector<int32_t> addends_;
  std::vector<uint32_t> large_wires_;
  SecretVector<Limbs> large_;
  SecretVector<Fr> montgomery_;

  [[noreturn]] static void refuse(const std::string& what, const std::string& expected, const std::string& got) {
    throw EngineError(ErrorKind::malformed_witness, "witness", what, expected, got);
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
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
