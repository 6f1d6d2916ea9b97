// The A and B matrices of the key, by row, and their products with a witness.
//
// Nearly every coefficient of a network is a small integer and nearly every wire too, so a row is summed in 128-bit
// integers and enters the field with one multiplication. 8 bytes an entry: wire and interned coefficient.
#pragma once
#include <span>
#include <string_view>
#include <unordered_map>

#include "field.hpp"
#include "secret.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {

struct MatrixEntry {
  uint32_t wire, coefficient;
};

struct Matrix {
  std::vector<uint32_t> starts;  // row i owns entries [starts[i], starts[i + 1])
  std::vector<MatrixEntry> entries;
};

// Distinct coefficients. `small` is the signed value, or 0 when it needs the field (zero itself counts as such).
struct Coefficients {
  std::vector<int32_t> small;
  std::vector<Fr> values;

  uint32_t intern(const Limbs& file_value) {  // value·R^2 mod r, as the file has it
    if (!order_.empty() && file_value == last_key_) return last_id_;
    const auto [it, added] = order_.try_emplace(file_value, uint32_t(values.size()));
    if (added) {
      const Fr montgomery = Fr{file_value} * Fr{{1, 0, 0, 0}};
      const Limbs plain = montgomery.canonical(), negative = (-montgomery).canonical();
      const auto fits = [](const Limbs& l) { return (l[1] | l[2] | l[3]) == 0 && l[0] <= INT32_MAX; };
      values.push_back(montgomery);
      small.push_back(fits(plain) ? int32_t(plain[0]) : fits(negative) ? -int32_t(negative[0]) : 0);
    }
    last_key_ = file_value;
    return last_id_ = it->second;
  }
  void finish() { order_.clear(); }

 private:
  struct Hash {
    size_t operator()(const Limbs& l) const { return size_t(l[0] * 0x9e3779b97f4a7c15ull ^ l[1] ^ (l[3] << 7)); }
  };
  std::unordered_map<Limbs, uint32_t, Hash> order_;
  Limbs last_key_{};
  uint32_t last_id_ = 0;
};

// A witness as the rows read it: wires that do not fit in an int32 hold `large_mark` and are looked up.
struct WitnessView {
  static constexpr int32_t large_mark = INT32_MIN;
  const int32_t* small;
  std::span<const uint32_t> large_wires;  // ascending
  const Fr* large_values;                 // Montgomery

  const Fr& large(uint32_t wire) const {
    return large_values[std::lower_bound(large_wires.begin(), large_wires.end(), wire) - large_wires.begin()];
  }
};

// v·unit, for |v| < 2^127.
inline Fr scaled(__int128 v, const Fr& unit, const Fr& unit_shifted_64) {
  const u128 magnitude = v < 0 ? -u128(v) : u128(v);
  Fr out = Fr{{uint64_t(magnitude), 0, 0, 0}} * unit;
  if (magnitude >> 64) out += Fr{{uint64_t(magnitude >> 64), 0, 0, 0}} * unit_shifted_64;
  return v < 0 ? -out : out;
}

// A row's value times k, and the value itself where it is an integer of 64 bits.
struct RowValue {
  Fr scaled;
  int64_t integer;
  bool is_integer;
};

// Multiplies rows by the witness and by a constant k.
class RowProduct {
 public:
  RowProduct(const Coefficients& coefficients, const WitnessView& witness, const Fr& k)
      : coefficients_(coefficients),
        witness_(witness),
        k_(k),
        unit_(k * Fr{Fr::r2}),
        unit_64_(unit_ * Fr::from_canonical({0, 1, 0, 0})) {}

  RowValue operator()(const MatrixEntry* entry, const MatrixEntry* end) const {
    __int128 integer = 0;
    Fr field = Fr::zero();
    bool in_field = false;
    for (; entry != end; entry++) {
      const int32_t c = coefficients_.small[entry->coefficient], w = witness_.small[entry->wire];
      if (c != 0 && w != WitnessView::large_mark) {
        integer += int64_t(c) * w;
        continue;
      }
      if (w == 0) continue;
      const Fr& cf = coefficients_.values[entry->coefficient];
      in_field = true;
      if (w == 1)
        field += cf;
      else if (w == WitnessView::large_mark)
        field += cf * witness_.large(entry->wire);
      else
        field += cf * Fr::from_i64(w);
    }
    const Fr out = integer == 0 ? Fr::zero() : scaled(integer, unit_, unit_64_);
    return {in_field ? out + field * k_ : out, int64_t(integer), !in_field && int64_t(integer) == integer};
  }

 private:
  const Coefficients& coefficients_;
  const WitnessView witness_;
  Fr k_, unit_, unit_64_;
};

}  // namespace VERINFER_ISA
}  // namespace verinfer
