// Memory that held a witness is cleared before it is handed back; randomness comes from the operating system.
#pragma once
#include <sys/mman.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "error.hpp"

namespace verinfer {

// Large blocks are mapped, not taken from the heap: they go back to the system at once, and a service that proves for
// weeks does not collect holes.
template <class T>
struct WipingAllocator {
  static constexpr size_t mapped_from = size_t(1) << 18;
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) {}
  T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    if (bytes < mapped_from) return static_cast<T*>(::operator new(bytes, std::align_val_t(64)));
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t n) {
    const size_t bytes = n * sizeof(T);
    explicit_bzero(static_cast<void*>(p), bytes);
    if (bytes < mapped_from)
      ::operator delete(p, std::align_val_t(64));
    else
      munmap(p, bytes);
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
