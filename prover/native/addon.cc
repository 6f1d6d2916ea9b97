// The N-API surface: checks lengths and types, copies in and out, and hands everything else to a backend.
#include "backend.hpp"
#include "cpu.hpp"
#include "job.hpp"
#include "key-cache.hpp"
#include "secret.hpp"

namespace verinfer {
namespace {

KeyCache& keys() {
  static KeyCache cache;
  return cache;
}

Implementation implementation_named(Napi::Env env, const Napi::Value& name) {
  const std::vector<Implementation> all = supported_implementations();
  if (name.IsUndefined()) return all.front();
  const std::string wanted = name.ToString();
  for (const Implementation& i : all)
    if (wanted == i.backend->name()) return i;
  throw Napi::RangeError::New(env, "no backend " + wanted + " on this processor");
}

Bytes bytes_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "expected a Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) throw Napi::TypeError::New(value.Env(), "expected a Uint8Array");
  const auto* data = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return Bytes(data, data + array.ByteLength());
}

Napi::Value to_js(Napi::Env env, const Bytes& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
}

unsigned threads_of(const Napi::Object& options) {
  const Napi::Value value = options.Get("threads");
  const unsigned all = std::max(1u, std::thread::hardware_concurrency());
  if (!value.IsNumber()) return all;
  return std::clamp(value.As<Napi::Number>().Int32Value(), 1, 256);
}

Napi::Value doctor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object out = Napi::Object::New(env);
  const auto list = [&](const auto& names, auto&& text) {
    Napi::Array array = Napi::Array::New(env);
    for (uint32_t i = 0; i < names.size(); i++) array.Set(i, Napi::String::New(env, text(names[i])));
    return array;
  };
  out.Set("cpuFeatures", list(cpu_features(), [](const std::string& s) { return s; }));
  out.Set("backends", list(supported_implementations(), [](const Implementation& i) { return i.backend->name(); }));
  out.Set("threads", Napi::Number::New(env, std::max(1u, std::thread::hardware_concurrency())));
  return out;
}

using KeyHandle = Napi::External<std::shared_ptr<const ProvingKey>>;

const std::shared_ptr<const ProvingKey>& key_of(const Napi::Value& value) {
  if (!value.IsExternal()) throw Napi::TypeError::New(value.Env(), "expected a loaded key");
  return *value.As<KeyHandle>().Data();
}

// loadKey(path, {threads, memoryBudgetBytes, backend, derived: {path, zkeyDigest}})
Napi::Value load_key(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[1].ToObject();
  const Backend& backend = *implementation_named(info.Env(), options.Get("backend")).backend;
  LoadRequest request;
  request.path = info[0].ToString();
  request.threads = threads_of(options);
  request.memory_budget = uint64_t(std::max<int64_t>(0, options.Get("memoryBudgetBytes").ToNumber().Int64Value()));
  if (options.Get("derived").IsObject()) {
    const Napi::Object derived = options.Get("derived").ToObject();
    request.derived.path = derived.Get("path").ToString();
    const Bytes digest = bytes_of(derived.Get("zkeyDigest"));
    if (digest.size() != 32) throw Napi::TypeError::New(info.Env(), "zkeyDigest must be 32 bytes");
    std::copy(digest.begin(), digest.end(), request.derived.zkey_digest.begin());
  }
  return Job::start(info.Env(), info.Env().Undefined(), info.Env().Undefined(), [&backend, request](Job& job) mutable -> Job::Result {
    request.cancel = &job.cancel;
    const std::shared_ptr<const ProvingKey> key = keys().get(backend, request);
    return [key](Napi::Env env) -> Napi::Value {
      Napi::Object out = Napi::Object::New(env);
      const KeyInfo& i = key->info();
      out.Set("handle", KeyHandle::New(env, new std::shared_ptr<const ProvingKey>(key),
                                       [](Napi::Env, std::shared_ptr<const ProvingKey>* p) { delete p; }));
      out.Set("wireCount", i.wires);
      out.Set("publicCount", i.publics);
      out.Set("domainSize", i.domain);
      out.Set("tableBytes", double(i.table_bytes));
      out.Set("slices", i.h_slices);
      out.Set("transforms", i.transforms);
      out.Set("verifyingKey", to_js(env, i.verifying_key));
      return out;
    };
  });
}

// close(handle): drops this handle's share of the key now, not at the next garbage collection.
Napi::Value close_key(const Napi::CallbackInfo& info) {
  key_of(info[0]);
  info[0].As<KeyHandle>().Data()->reset();
  return info.Env().Undefined();
}

// What a job keeps of the witness; wiped when the job ends.
struct WitnessCopy {
  SecretVector<int32_t> small;
  std::vector<uint32_t> large_wires;
  SecretVector<uint8_t> large_values;
};

template <class T, class Vector>
void copy_array(const Napi::Value& value, napi_typedarray_type type, const char* name, Vector& out) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw Napi::TypeError::New(value.Env(), std::string(name) + " has the wrong type");
  const auto array = value.As<Napi::TypedArray>();
  const auto* bytes = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  const auto* data = reinterpret_cast<const T*>(bytes);
  out.assign(data, data + array.ElementLength());
}

// prove(handle, small, largeWires, largeValues, {threads, blinding}, onStage)
Napi::Value prove(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const ProvingKey> key = key_of(info[0]);
  if (!key) throw Napi::Error::New(env, "the key is closed");
  const auto witness = std::make_shared<WitnessCopy>();
  copy_array<int32_t>(info[1], napi_int32_array, "small", witness->small);
  copy_array<uint32_t>(info[2], napi_uint32_array, "largeWires", witness->large_wires);
  copy_array<uint8_t>(info[3], napi_uint8_array, "largeValues", witness->large_values);
  if (witness->large_values.size() != 32 * witness->large_wires.size())
    throw Napi::TypeError::New(env, "largeValues must hold 32 bytes for every large wire");
  const Napi::Object options = info[4].ToObject();
  ProveRequest request;
  request.threads = threads_of(options);
  if (!options.Get("blinding").IsUndefined()) {
    request.blinding = bytes_of(options.Get("blinding"));
    if (request.blinding.size() != 64) throw Napi::TypeError::New(env, "blinding must be 64 bytes");
  }
  return Job::start(env, info[5], env.Undefined(), [key, witness, request](Job& job) mutable -> Job::Result {
    static const char* const stages[] = {"abc", "ntt", "msm-witness", "msm-h", "verify"};
    request.witness = {witness->small.data(), witness->small.size(), witness->large_wires.data(),
                       witness->large_values.data(), witness->large_wires.size()};
    request.cancel = &job.cancel;
    request.on_stage = [&job](Stage stage, double ms) { job.message(stages[size_t(stage)], ms); };
    const Bytes proof = key->prove(request);
    return [proof](Napi::Env e) { return to_js(e, proof); };
  });
}

// verify(verifyingKey, proofs, signals, {threads, backend})
Napi::Value verify(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[3].ToObject();
  const Backend& backend = *implementation_named(info.Env(), options.Get("backend")).backend;
  const unsigned threads = threads_of(options);
  return Job::start(info.Env(), info.Env().Undefined(), info.Env().Undefined(),
                    [&backend, threads, key = bytes_of(info[0]), proofs = bytes_of(info[1]),
                     signals = bytes_of(info[2])](Job&) -> Job::Result {
                      const bool valid = backend.verify(key, proofs, signals, threads);
                      return [valid](Napi::Env e) { return Napi::Boolean::New(e, valid); };
                    });
}

// kernel(backend, name, operands…): one kernel on raw operands, synchronously; for tests and timing.
Napi::Value kernel(const Napi::CallbackInfo& info) {
  const Backend& backend = *implementation_named(info.Env(), info[0]).backend;
  std::vector<Bytes> operands;
  for (size_t i = 2; i < info.Length(); i++) operands.push_back(bytes_of(info[i]));
  try {
    return to_js(info.Env(), backend.kernel(info[1].ToString(), operands));
  } catch (const EngineError& e) {
    throw Napi::RangeError::New(info.Env(), e.what());
  }
}

// runKernel(name, inputs, output, {threads, backend}): a setup kernel (kernels.hpp) on the caller's own buffers.
Napi::Value run_kernel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = info[3].ToObject();
  const KernelFunction kernel = implementation_named(env, options.Get("backend")).run_kernel;
  // the job reads and writes the buffers in place, so it holds on to them
  Napi::Array all = Napi::Array::New(env);
  const auto span = [&](const Napi::Value& value) -> ByteSpan {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(env, "expected a Uint8Array");
    const auto array = value.As<Napi::TypedArray>();
    all.Set(all.Length(), value);
    return {static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
  };
  if (!info[1].IsArray()) throw Napi::TypeError::New(env, "expected an array of inputs");
  std::vector<ByteSpan> inputs;
  for (uint32_t i = 0; i < info[1].As<Napi::Array>().Length(); i++) inputs.push_back(span(info[1].As<Napi::Array>().Get(i)));
  const ByteSpan output = span(info[2]);
  return Job::start(env, env.Undefined(), all,
                    [=, name = std::string(info[0].ToString()), threads = threads_of(options)](Job& job) -> Job::Result {
                      kernel(name, inputs, const_cast<uint8_t*>(output.data), output.size, threads, job.cancel);
                      return [](Napi::Env e) { return e.Undefined(); };
                    });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("doctor", Napi::Function::New(env, doctor));
  exports.Set("loadKey", Napi::Function::New(env, load_key));
  exports.Set("closeKey", Napi::Function::New(env, close_key));
  exports.Set("prove", Napi::Function::New(env, prove));
  exports.Set("verify", Napi::Function::New(env, verify));
  exports.Set("kernel", Napi::Function::New(env, kernel));
  exports.Set("runKernel", Napi::Function::New(env, run_kernel));
  return exports;
}

}  // namespace
}  // namespace verinfer

using verinfer::init;
NODE_API_MODULE(verinfer, init)
