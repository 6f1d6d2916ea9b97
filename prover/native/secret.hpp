// Memory that held a witness is cleared before it is handed back; randomness comes from the operating system.
#pragma once
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "error.hpp"

namespace verinfer {

template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
  void deallocate(T* p, size_t n) {
    explicit_bzero(static_cast<void*>(p), n * sizeof(T));
    ::operator delete(p, std::align_val_t(64));
  }
  template <class U>
  bool operator==(const WipingAllocator<U>&) const { return true; }
};

template <class T>
using SecretVector = std::vector<T, WipingAllocator<T>>;

inline void random_bytes(void* out, size_t length) {
  auto* p = static_cast<uint8_t*>(out);
  while (length > 0) {
    const ssize_t got = getrandom(p, length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw EngineError(ErrorKind::system, "getrandom", "result", "random bytes", std::strerror(errno));
    p += got;
    length -= size_t(got);
  }
}

}  // namespace verinfer
