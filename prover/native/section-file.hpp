// The sections of a container file (iden3's layout: `.zkey`, and our `.derived`), located and bounded before anything
// is read from them. Twin: prover/files/container.ts.
//
// The file is read with pread into tables of our own, not mapped: a mapped file that is truncated under us would end
// the process with SIGBUS, and mapped pages would count twice beside the tables.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "error.hpp"

namespace verinfer {

// What a file must begin with, and its largest section id. Errors name it by its magic.
struct FileFormat {
  const char* magic;
  unsigned max_section;
};
constexpr FileFormat zkey_format{"zkey", 10}, derived_format{"derv", 2};

class SectionFile {
 public:
  struct Section {
    uint64_t offset = 0, size = 0;
    bool present = false;
  };

  SectionFile(const std::string& path, const FileFormat& format) : format_(format), sections_(format.max_section + 1) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw EngineError(ErrorKind::system, format.magic, "path", "a readable file", std::strerror(errno));
    struct stat st {};
    if (fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) {
      ::close(fd_);
      throw EngineError(ErrorKind::system, format.magic, "path", "a regular file", "something else");
    }
    size_ = uint64_t(st.st_size);
    try {
      locate();
    } catch (...) {
      ::close(fd_);
      throw;
    }
  }
  ~SectionFile() { ::close(fd_); }
  SectionFile(const SectionFile&) = delete;
  SectionFile& operator=(const SectionFile&) = delete;

  void read(uint64_t offset, void* out, size_t length) const {
    auto* p = static_cast<uint8_t*>(out);
    while (length > 0) {
      const ssize_t got = pread(fd_, p, std::min<size_t>(length, 1u << 30), off_t(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) refuse("length", "unchanged while it is read", "end of file");
      p += got, offset += uint64_t(got), length -= size_t(got);
    }
  }

  // A section that must be there, with exactly this size.
  const Section& section(unsigned type, uint64_t size) const {
    const Section& s = section(type);
    if (s.size != size)
      refuse("section " + std::to_string(type) + " size", std::to_string(size), std::to_string(s.size));
    return s;
  }
  const Section& section(unsigned type) const {
    if (!sections_[type].present) refuse("section " + std::to_string(type), "present", "nothing");
    return sections_[type];
  }

  [[noreturn]] void refuse(const std::string& what, const std::string& expected, const std::string& got) const {
    throw EngineError(ErrorKind::malformed_file, format_.magic, what, expected, got);
  }

 private:
  void locate() {
    uint8_t head[12];
    if (size_ < sizeof head) refuse("length", "at least 12 bytes", std::to_string(size_));
    read(0, head, sizeof head);
    if (std::memcmp(head, format_.magic, 4) != 0) refuse("magic", format_.magic, "something else");
    uint32_t version, count;
    std::memcpy(&version, head + 4, 4);
    std::memcpy(&count, head + 8, 4);
    if (version != 1) refuse("version", "1", std::to_string(version));
    if (count == 0 || count > 64) refuse("section count", "1 to 64", std::to_string(count));
    uint64_t at = 12;
    for (uint32_t i = 0; i < count; i++) {
      uint8_t entry[12];
      if (size_ - at < sizeof entry) refuse("length", "room for every section header", std::to_string(size_));
      read(at, entry, sizeof entry);
      at += sizeof entry;
      uint32_t type;
      uint64_t length;
      std::memcpy(&type, entry, 4);
      std::memcpy(&length, entry + 4, 8);
      if (length > size_ - at)
        refuse("section " + std::to_string(type) + " size", "within the file", std::to_string(length));
      if (type >= 1 && type <= format_.max_section) {
        if (sections_[type].present) refuse("section " + std::to_string(type), "single", "a second one");
        sections_[type] = {at, length, true};
      }
      at += length;
    }
    if (at != size_) refuse("length", std::to_string(at), std::to_string(size_));
  }

  const FileFormat& format_;
  int fd_ = -1;
  uint64_t size_ = 0;
  std::vector<Section> sections_;
};

}  // namespace verinfer
