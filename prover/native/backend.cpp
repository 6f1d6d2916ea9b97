// One backend; compiled once per instruction set (see build.sh).
#include "kernel-table.hpp"

namespace verinfer {
inline namespace VERINFER_ISA {
namespace {

#define VERINFER_TEXT_(x) #x
#define VERINFER_TEXT(x) VERINFER_TEXT_(x)

class LoadedKey final : public ProvingKey {
 public:
  explicit LoadedKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {
    const auto bytes = [](const auto& table) { return table.points.size() * sizeof(table.points[0]); };
    info_.wires = key_->wires, info_.publics = key_->publics, info_.domain = key_->domain;
    info_.h_slices = key_->h_plan.slices, info_.transforms = key_->d.count > 0 ? 4 : 6;
    info_.table_bytes = bytes(key_->a) + bytes(key_->b1) + bytes(key_->b2) + bytes(key_->c) + bytes(key_->h) + bytes(key_->d) +
                        8 * (key_->rows_a.entries.size() + key_->rows_b.entries.size());
    const VerifyingKey& vk = key_->verifying;
    put(info_.verifying_key, vk.alpha), put(info_.verifying_key, vk.beta), put(info_.verifying_key, vk.gamma);
    put(info_.verifying_key, vk.delta);
    for (const G1Affine& p : vk.ic) put(info_.verifying_key, p);
  }
  const KeyInfo& info() const override { return info_; }
  Bytes prove(const ProveRequest& request) const override { return Prover(*key_, request).run(); }

 private:
  std::shared_ptr<const Key> key_;
  KeyInfo info_;
};

class IsaBackend final : public Backend {
 public:
  const char* name() const override { return VERINFER_TEXT(VERINFER_ISA); }
  std::shared_ptr<const ProvingKey> load(const LoadRequest& request) const override {
    return std::make_shared<LoadedKey>(load_key(request));
  }
  bool verify(const Bytes& key, const Bytes& proofs, const Bytes& signals, unsigned threads) const override {
    return verify_bytes(key, proofs, signals, threads);
  }
  Bytes kernel(const std::string& name, const std::vector<Bytes>& operands) const override {
    return KernelTable(operands).run(name);
  }
};

}  // namespace

const Backend& backend() {
  static const IsaBackend instance;
  return instance;
}

}  // namespace VERINFER_ISA
}  // namespace verinfer
