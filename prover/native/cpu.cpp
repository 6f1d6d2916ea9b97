// Which backends this processor can run.
#include "cpu.hpp"

#include "backend.hpp"

namespace verinfer {

namespace portable {
const Backend& backend();
}
#if defined(__x86_64__)
namespace adx {
const Backend& backend();
}
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

std::vector<const Backend*> supported_backends() {
  std::vector<const Backend*> out;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("bmi2") && has_adx()) out.push_back(&adx::backend());
#endif
  out.push_back(&portable::backend());
  return out;
}

}  // namespace verinfer
