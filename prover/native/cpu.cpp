// Which implementations this processor can run.
#include "cpu.hpp"

#include "backend.hpp"

#define VERINFER_DECLARE(isa)                                                                                      \
  namespace isa {                                                                                                  \
  const Backend& backend();                                                                                        \
  void run_kernel(const std::string&, const std::vector<ByteSpan>&, uint8_t*, size_t, unsigned, const Cancellation&); \
  }

#define VERINFER_RUN(isa) isa::run_kernel

namespace verinfer {

VERINFER_DECLARE(portable)
#if defined(__x86_64__)
VERINFER_DECLARE(adx)
VERINFER_DECLARE(ifma)
#endif

std::vector<std::string> cpu_features() {
  std::vector<std::string> out;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("bmi2")) out.emplace_back("bmi2");
  if (has_adx()) out.emplace_back("adx");
  if (__builtin_cpu_supports("avx2")) out.emplace_back("avx2");
  if (__builtin_cpu_supports("avx512ifma")) out.emplace_back("avx512ifma");
#endif
  return out;
}

#if defined(__x86_64__)
static bool has_wide_registers() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
}
#endif

std::vector<Implementation> supported_implementations() {
  std::vector<Implementation> out;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool adx = __builtin_cpu_supports("bmi2") && has_adx();
  // the setup kernels have no version of their own for the wide registers
  if (adx && has_wide_registers()) out.push_back({&ifma::backend(), VERINFER_RUN(adx)});
  if (adx) out.push_back({&adx::backend(), VERINFER_RUN(adx)});
#endif
  out.push_back({&portable::backend(), VERINFER_RUN(portable)});
  return out;
}

}  // namespace verinfer
