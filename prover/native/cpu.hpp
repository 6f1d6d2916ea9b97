#pragma once
#include <string>
#include <vector>

#include "backend.hpp"
#include "kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace verinfer {

// Everything that is compiled for one instruction set.
struct Implementation {
  const Backend* backend;
  KernelFunction run_kernel;
};

// Those this processor can run, best first; never empty.
std::vector<Implementation> supported_implementations();

// Names of the processor features the engine looks at.
std::vector<std::string> cpu_features();

#if defined(__x86_64__)
// __builtin_cpu_supports does not know "adx" in every compiler we accept.
inline bool has_adx() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 19));
}
#endif

}  // namespace verinfer
