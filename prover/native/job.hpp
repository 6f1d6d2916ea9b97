// Work off the JavaScript thread: a promise, messages on the way, cancellation.
//
// Every job has a thread of its own, because the few threads of libuv also serve files and DNS and a proof may take
// seconds. A job owns all it touches, so an environment that ends meanwhile (a terminated worker) only loses the answer.
#pragma once
#define NAPI_VERSION 8
#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "error.hpp"
#include "threads.hpp"

namespace verinfer {

// {kind, where, what, expected, got} on a plain Error; prover/native-engine.ts gives it its class.
inline Napi::Value to_js_error(Napi::Env env, std::exception_ptr failure) {
  static const char* const kinds[] = {"malformed-file", "malformed-witness", "unsatisfied", "memory", "system"};
  const auto plain = [&](const char* message, const char* kind) {
    const Napi::Object error = Napi::Error::New(env, message).Value();
    error.Set("kind", kind);
    return error;
  };
  try {
    std::rethrow_exception(failure);
  } catch (const EngineError& e) {
    Napi::Object error = plain(e.what(), kinds[size_t(e.kind)]);
    error.Set("where", e.where);
    error.Set("what", e.what_);
    error.Set("expected", e.expected);
    error.Set("got", e.got);
    return error;
  } catch (const Cancelled&) {
    return plain("cancelled", "cancelled");
  } catch (const std::bad_alloc&) {
    return plain("out of memory", "memory");
  } catch (const std::exception& e) {
    return plain(e.what(), "system");
  }
}

class Job : public std::enable_shared_from_this<Job> {
 public:
  using Message = std::function<void(Napi::Env)>;
  using Result = std::function<Napi::Value(Napi::Env)>;  // runs on the JavaScript thread

  // Starts `work` and returns {promise, cancel}. `on_message` may be undefined; `held` is kept from the collector.
  static Napi::Object start(Napi::Env env, const Napi::Value& on_message, const Napi::Value& held,
                            std::function<Result(Job&)> work) {
    const std::shared_ptr<Job> job(new Job(env));
    if (on_message.IsFunction()) {
      job->on_message_ = Napi::Persistent(on_message.As<Napi::Function>());
      job->listened_ = true;
    }
    if (held.IsObject()) job->held_ = Napi::Persistent(held.As<Napi::Object>());
    const Napi::String name = Napi::String::New(env, "verinfer");
    if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, new std::shared_ptr<Job>(job), dispose,
                                        nullptr, deliver, &job->channel_) != napi_ok)
      throw Napi::Error::New(env, "cannot start a job");
    Napi::Object handle = Napi::Object::New(env);
    handle.Set("promise", job->deferred_.Promise());
    handle.Set("cancel", Napi::Function::New(env, [job](const Napi::CallbackInfo&) { job->cancel.request(); }));
    std::thread([job, work = std::move(work)] { job->run(work); }).detach();
    return handle;
  }

  // From the working thread: calls onMessage(name, value).
  void message(const char* name, double value) {
    if (!listened_) return;
    send([this, name, value](Napi::Env env) {
      on_message_.Call({Napi::String::New(env, name), Napi::Number::New(env, value)});
    });
  }

  Cancellation cancel;

 private:
  Napi::Promise::Deferred deferred_;
  Napi::FunctionReference on_message_;
  bool listened_ = false;
  Napi::ObjectReference held_;
  std::mutex guard_;
  bool open_ = true;
  napi_threadsafe_function channel_ = nullptr;

  explicit Job(Napi::Env env) : deferred_(env) {}

  void run(const std::function<Result(Job&)>& work) {
    Result result;
    std::exception_ptr failure;
    try {
      result = work(*this);
    } catch (...) {
      failure = std::current_exception();
    }
    send([this, result, failure](Napi::Env env) {
      if (failure) {
        deferred_.Reject(to_js_error(env, failure));
        return;
      }
      try {
        deferred_.Resolve(result(env));
      } catch (const Napi::Error& e) {
        deferred_.Reject(e.Value());
      }
    });
    const std::lock_guard<std::mutex> lock(guard_);
    if (open_) napi_release_threadsafe_function(channel_, napi_tsfn_release);
  }

  void send(Message message) {
    const std::lock_guard<std::mutex> lock(guard_);
    if (!open_) return;
    auto* boxed = new Message(std::move(message));
    if (napi_call_threadsafe_function(channel_, boxed, napi_tsfn_blocking) != napi_ok) delete boxed;
  }

  static void deliver(napi_env env, napi_value, void*, void* data) {
    const std::unique_ptr<Message> message(static_cast<Message*>(data));
    if (env == nullptr) return;  // shutting down
    const Napi::HandleScope scope(env);
    try {
      (*message)(env);
    } catch (const Napi::Error& e) {
      try {
        e.ThrowAsJavaScriptException();
      } catch (const Napi::Error&) {
        // an environment that is ending (a worker told to exit) runs no more JavaScript: the answer is lost, no more
      }
    }
  }

  // On the JavaScript thread, when the channel ends; with a dying environment that may be before the work does. The
  // working thread may still hold the job, but must not touch the channel or be the one to free a reference.
  static void dispose(napi_env, void* data, void*) {
    auto* job = static_cast<std::shared_ptr<Job>*>(data);
    {
      const std::lock_guard<std::mutex> lock((*job)->guard_);
      (*job)->open_ = false;
    }
    (*job)->cancel.request();
    (*job)->on_message_.Reset();
    (*job)->held_.Reset();
    delete job;
  }
};

}  // namespace verinfer
