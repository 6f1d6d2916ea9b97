// The setup kernels as one call over plain buffers: what prover/native-kernels.ts may ask for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "threads.hpp"

namespace verinfer {

struct ByteSpan {
  const uint8_t* data;
  size_t size;
};

// Runs the kernel `name` ("g1.multiply-generator", …; the table is in kernels.cpp). Throws std::invalid_argument when a
// buffer's length does not fit; reads nothing outside the buffers whatever their contents.
using KernelFunction = void (*)(const std::string& name, const std::vector<ByteSpan>& inputs, uint8_t* output,
                                size_t output_size, unsigned threads, const Cancellation& cancel);

}  // namespace verinfer
