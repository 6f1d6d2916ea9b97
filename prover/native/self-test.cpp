// A program that replays kernels on given operands, `self-test FOLDER`, for machines on which no Node runs (make
// native-arm64). FOLDER/vectors holds, for every call: name, count of operands, operands, expected bytes; each
// string of bytes after its length as u32. The expected bytes come from the TypeScript twins (test/support/self-test.ts).
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "cpu.hpp"

namespace {

using namespace verinfer;

Bytes contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(std::move(bytes)) {}
  bool at_end() const { return at_ == bytes_.size(); }
  uint32_t number() {
    uint32_t v;
    std::memcpy(&v, take(4), 4);
    return v;
  }
  Bytes string() {
    const uint32_t length = number();
    const uint8_t* p = take(length);
    return Bytes(p, p + length);
  }

 private:
  Bytes bytes_;
  size_t at_ = 0;

  const uint8_t* take(size_t n) {
    if (bytes_.size() - at_ < n) throw std::runtime_error("vectors end too early");
    at_ += n;
    return bytes_.data() + at_ - n;
  }
};

// Setup kernels are marked by a leading '!'.
Bytes call(const Implementation& implementation, const std::string& name, const std::vector<Bytes>& operands, size_t size) {
  if (name[0] != '!') return implementation.backend->kernel(name, operands);
  std::vector<ByteSpan> spans;
  for (const Bytes& b : operands) spans.push_back({b.data(), b.size()});
  Bytes out(size);
  implementation.run_kernel(name.substr(1), spans, out.data(), out.size(), 2, Cancellation());
  return out;
}

size_t replay(const Implementation& implementation, Reader vectors, const std::string& folder, size_t& calls) {
  size_t wrong = 0;
  while (!vectors.at_end()) {
    const Bytes raw = vectors.string();
    const std::string name(raw.begin(), raw.end());
    std::vector<Bytes> operands(vectors.number());
    for (Bytes& b : operands) b = vectors.string();
    const Bytes expected = vectors.string();
    Bytes got;
    if (name == "proof") {  // small, large wires, large values, blinding; the key lies beside the vectors
      LoadRequest load;
      load.path = folder + "/key.zkey";
      load.threads = 2;
      ProveRequest request;
      request.threads = 2;
      request.witness = {reinterpret_cast<const int32_t*>(operands[0].data()), operands[0].size() / 4,
                         reinterpret_cast<const uint32_t*>(operands[1].data()), operands[2].data(), operands[1].size() / 4};
      request.blinding = operands[3];
      got = implementation.backend->load(load)->prove(request);
    } else {
      got = call(implementation, name, operands, expected.size());
    }
    calls++;
    if (got == expected) continue;
    wrong++;
    std::printf("%s: %s differs\n", implementation.backend->name(), name.c_str());
  }
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: self-test FOLDER\n"), 2;
  const std::string folder = argv[1];
  size_t wrong = 0;
  try {
    for (const Implementation& implementation : supported_implementations()) {
      size_t calls = 0;
      wrong += replay(implementation, Reader(contents((folder + "/vectors").c_str())), folder, calls);
      std::printf("%s: %zu calls\n", implementation.backend->name(), calls);
      if (calls == 0) wrong++;
    }
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
    return 1;
  }
  return wrong == 0 ? 0 : 1;
}
