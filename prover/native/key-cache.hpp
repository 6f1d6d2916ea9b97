// Keys already loaded by this process, by file identity: worker threads that load the same file share one copy.
#pragma once
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <tuple>

#include "backend.hpp"

namespace verinfer {

class KeyCache {
 public:
  using Shared = std::shared_ptr<const ProvingKey>;

  // Loads, or waits for whoever is loading the same file now. A key lives while somebody holds it.
  Shared get(const Backend& backend, const LoadRequest& request) {
    const Identity id{identity(request.path, "zkey"),
                      request.derived.path.empty() ? FileIdentity{} : identity(request.derived.path, "derv"),
                      request.derived.zkey_digest, request.memory_budget, &backend};
    std::promise<Shared> promise;
    for (;;) {
      std::shared_future<Shared> loading;
      {
        const std::lock_guard<std::mutex> lock(guard_);
        Entry& entry = entries_[id];
        if (Shared key = entry.key.lock()) return key;
        if (!entry.loading.valid()) {
          entry.loading = promise.get_future().share();
          break;
        }
        loading = entry.loading;
      }
      try {
        return loading.get();
      } catch (const Cancelled&) {
        // the other caller gave up: try ourselves
      }
    }
    try {
      Shared key = backend.load(request);
      const std::lock_guard<std::mutex> lock(guard_);
      entries_[id] = {key, {}};
      promise.set_value(key);
      return key;
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard_);
      entries_.erase(id);
      promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  using FileIdentity = std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long>;
  using Identity = std::tuple<FileIdentity, FileIdentity, std::array<uint8_t, 32>, uint64_t, const Backend*>;
  static FileIdentity identity(const std::string& path, const char* where) {
    struct stat st {};
    if (stat(path.c_str(), &st) != 0)
      throw EngineError(ErrorKind::system, where, "path", "a readable file", std::strerror(errno));
    return {st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec};
  }
  struct Entry {
    std::weak_ptr<const ProvingKey> key;
    std::shared_future<Shared> loading;
  };
  std::mutex guard_;
  std::map<Identity, Entry> entries_;
};

}  // namespace verinfer
