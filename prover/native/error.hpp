// Errors that cross into JavaScript: prover/native-engine.ts turns each kind into its class.
#pragma once
#include <stdexcept>
#include <string>

namespace verinfer {

enum class ErrorKind { malformed_file, malformed_witness, unsatisfied, memory, system };

struct EngineError : std::runtime_error {
  ErrorKind kind;
  std::string where, what_, expected, got;
  EngineError(ErrorKind k, std::string where_, std::string property, std::string expected_, std::string got_)
      : std::runtime_error(where_ + ": " + property + " must be " + expected_ + ", got " + got_),
        kind(k),
        where(std::move(where_)),
        what_(std::move(property)),
        expected(std::move(expected_)),
        got(std::move(got_)) {}
};

}  // namespace verinfer
