// SPDX-License-Identifier: BSL-1.0
// windows/objects.hpp: memory objects of Windows: file mappings without a file.
//
// A file mapping can be opened by its name from the moment in which it is made, so the elements lie in one with a name
// that nobody can guess, and the segment's own name belongs to a second one of a few bytes, the sign, which says what
// the first one is called. It is made when the elements are complete, and counts from the moment on in which its last
// word is written. A process that holds a segment has both open; the kernel removes each with its last handle, however
// the processes end. So there is no lock that a process could take with it, and nobody ever waits for a creator. All
// names lie in the namespace of the session (`Local\`), or of the machine (`Global\`).
//
// Different from linux/: nothing outlives its last process (no Lifetime::persistent); memory is always committed,
// so that Reserve::lazy does not make room for arrays larger than memory and page file, but pages are still made on
// first touch; nobody can tell which names there are; only the user who made a segment can attach it.
// Sources: CreateFileMapping, MapViewOfFile, DuplicateHandle, "Kernel object namespaces" of the Windows
// documentation.
#pragma once

#include <ndshm/platform/windows/errors.hpp>
#include <system_error>
// After windows.h.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ndshm/core/context.hpp>
#include <ndshm/core/crash_point.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/types.hpp>
#include <ndshm/platform/windows/memory.hpp>
#include <ndshm/platform/windows/this_process.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace windows_only {

inline DWORD rights(Access access) {
  return access == Access::read_only ? FILE_MAP_READ : FILE_MAP_READ | FILE_MAP_WRITE;
}

/// A mapping of all of an object, to look at it.
class View {
 public:
  View() = default;
  View(HANDLE object, DWORD access) : address_(::MapViewOfFile(object, access, 0, 0, 0)) {}
  void* get() const noexcept { return address_.get(); }

  /// Bytes that can be touched: what is there, in whole pages. An object may have less memory than addresses.
  std::size_t size() const {
    MEMORY_BASIC_INFORMATION info{};
    if (get() == nullptr || ::VirtualQuery(get(), &info, sizeof info) == 0 || info.State != MEM_COMMIT) return 0;
    return info.RegionSize;
  }

 private:
  struct Unmap {
    void operator()(void* address) const noexcept { ::UnmapViewOfFile(address); }
  };
  std::unique_ptr<void, Unmap> address_;
};

inline bool is_same_kernel_object(HANDLE a, HANDLE b) {
  using Compare = BOOL(WINAPI*)(HANDLE, HANDLE);  // not every compiler's libraries have it
  static const auto compare = reinterpret_cast<Compare>(
      reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"kernelbase.dll"), "CompareObjectHandles")));
  return compare != nullptr && compare(a, b) != 0;
}

}  // namespace windows_only

/// An object that is open, and the sign of a named one, which keeps its name.
class Object {
 public:
  Object(Descriptor memory, Descriptor sign, Access access, Context context)
      : memory_(std::move(memory)),
        sign_(std::move(sign)),
        access_(access),
        view_(memory_.handle(), FILE_MAP_READ),
        size_(view_.size()) {
    if (view_.get() != nullptr) return;
    const std::error_code error = last_error();
    if (error.value() != ERROR_INVALID_HANDLE) throw refused(error, context, "MapViewOfFile");
    throw Error(errc::not_a_segment, error,
                context + "what is behind handle " + std::to_string(memory_.get()) + " is not a segment of ndshm");
  }

  std::size_t size() const { return size_; }
  Access access() const { return access_; }
  int descriptor() const { return memory_.get(); }
  bool is_writable() const { return access_ == Access::read_write; }
  bool is_same_as(const Object& other) const {
    return windows_only::is_same_kernel_object(memory_.handle(), other.memory_.handle());
  }
  static constexpr bool is_frozen() { return false; }
  static void freeze(Context context) {
    throw Error(errc::unsupported, context + "Windows cannot revoke write access",
                "pass on handles that grant read access only: array.handle().as_read_only()");
  }
  bool read(std::size_t offset, void* destination, std::size_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) return false;
    if (view_.get() == nullptr) return false;
    std::memcpy(destination, static_cast<const std::byte*>(view_.get()) + offset, bytes);
    return true;
  }
  bool write(std::size_t offset, const void* source, std::size_t bytes) const {
    const windows_only::View view(memory_.handle(), FILE_MAP_READ | FILE_MAP_WRITE);
    if (view.get() == nullptr || offset > size_ || bytes > size_ - offset) return false;
    std::memcpy(static_cast<std::byte*>(view.get()) + offset, source, bytes);
    return true;
  }
  boost::interprocess::mapped_region map(std::size_t bytes, Context context) const {
    return os::map(memory_.get(), access_, bytes, context);
  }
  /// A name lives as long as a handle of it, so both stay open.
  void mapped(bool) { view_ = {}; }

 private:
  Descriptor memory_;
  Descriptor sign_;
  Access access_;
  windows_only::View view_;
  std::size_t size_;
};

namespace windows_only {

/// The object that belongs to a segment's name.
struct Sign {
  static constexpr std::uint64_t right_magic = 0x4E44'5348'4D73'676E;
  std::uint64_t magic;  // written last; 0 until then
  std::array<wchar_t, 64> memory;
};

inline std::wstring object_name(Scope where, std::wstring_view kind, std::string_view name, Context context) {
  std::wstring result = where == Scope::session ? L"Local\\" : L"Global\\";
  return result.append(kind).append(wide(name, errc::invalid_name, context));
}

inline std::wstring sign_name(Scope where, std::string_view name, Context context) {
  return object_name(where, L"ndshm.", name, context);
}

/// Opens a segment by its name. Nothing where there is none that is complete.
inline std::optional<Object> open_by_sign(const ObjectName& object, Access access, Owner owner, Context context) {
  const std::wstring path = sign_name(object.scope, object.name, context);
  Descriptor sign(::OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, path.c_str()));
  if (!sign) {
    const std::error_code error = last_error();
    if (error.value() == ERROR_FILE_NOT_FOUND) return std::nullopt;
    if (error.value() == ERROR_INVALID_HANDLE) {
      throw Error(errc::not_a_segment, error, context + "the name belongs to an object that is not memory");
    }
    throw refused(error, context, "OpenFileMapping " + narrow(path));
  }
  const View view(sign.handle(), FILE_MAP_READ);
  if (view.get() == nullptr) throw refused(last_error(), context, "MapViewOfFile of the sign");
  auto& published = *static_cast<Sign*>(view.get());
  const std::uint64_t magic =
      view.size() < sizeof(Sign) ? 1 : std::atomic_ref(published.magic).load(std::memory_order_acquire);
  if (magic == 0) return std::nullopt;  // its maker is not done, or has ended in the middle
  if (magic != Sign::right_magic) {
    throw Error(errc::not_a_segment, context + "the name belongs to memory that is not a segment of ndshm");
  }
  auto memory_name = published.memory;
  memory_name.back() = L'\0';
  Descriptor memory(::OpenFileMappingW(rights(access) | READ_CONTROL, FALSE, memory_name.data()));
  if (!memory) {
    const std::error_code error = last_error();
    if (error.value() == ERROR_FILE_NOT_FOUND) return std::nullopt;  // its last holder is just ending
    throw refused(error, context, "OpenFileMapping");
  }
  if (owner == Owner::me) {
    require_own(sign.handle(), context);  // it says where the elements are
    require_own(memory.handle(), context);
  }
  return Object(std::move(memory), std::move(sign), access, context);
}

}  // namespace windows_only

/// An object that nobody else can see yet.
class UnpublishedObject {
 public:
  /// `name` is that of the memory; an anonymous one has none.
  UnpublishedObject(std::wstring name, std::size_t bytes, unsigned mode, Context context) : name_(std::move(name)) {
    if (mode != 0600) {
      throw Error(errc::unsupported, context + "on Windows only the user who made an array can attach it",
                  "omit the mode");
    }
    memory_ = make_memory(bytes, name_, context);
    if (!memory_) throw refused(last_error(), context, "CreateFileMapping of " + format_bytes(bytes));
  }
  int descriptor() const { return memory_.get(); }

  /// Gives it the name, complete as it is; false when the name is taken.
  bool publish(const ObjectName& object, Context context) {
    Backoff backoff(std::chrono::seconds(1));
    for (;;) {
      if (make_sign(object, context)) return true;
      // Where nobody is alive the sign is being made, or the process that had it is just ending.
      if (is_alive(object, context) || !backoff.wait()) return false;
    }
  }

  Object finish(Context context) && { return {std::move(memory_), std::move(sign_), Access::read_write, context}; }

 private:
  static Descriptor make_memory(std::size_t bytes, const std::wstring& name, Context context) {
    const auto size = static_cast<std::uint64_t>(bytes);
    return Descriptor(::CreateFileMappingW(INVALID_HANDLE_VALUE, windows_only::this_user(context).nobody_else(),
                                           PAGE_READWRITE, static_cast<DWORD>(size >> 32), static_cast<DWORD>(size),
                                           name.empty() ? nullptr : name.c_str()));
  }

  /// False where there is a sign already.
  bool make_sign(const ObjectName& object, Context context) {
    using windows_only::Sign;
    const std::wstring path = windows_only::sign_name(object.scope, object.name, context);
    Descriptor sign = make_memory(sizeof(Sign), path, context);
    const std::error_code error = last_error();
    if (!sign) {
      if (error.value() == ERROR_INVALID_HANDLE) return false;  // another kind of object has it
      throw refused(error, context, "CreateFileMapping " + windows_only::narrow(path));
    }
    if (error.value() == ERROR_ALREADY_EXISTS) return false;
    NDSHM_CRASH_POINT("create: signed");
    const windows_only::View view(sign.handle(), FILE_MAP_READ | FILE_MAP_WRITE);
    if (view.get() == nullptr) throw refused(last_error(), context, "MapViewOfFile of the sign");
    auto& said = *static_cast<Sign*>(view.get());
    std::copy(name_.begin(), name_.end(), said.memory.begin());
    NDSHM_CRASH_POINT("create: named");
    std::atomic_ref(said.magic).store(Sign::right_magic, std::memory_order_release);
    sign_ = std::move(sign);
    return true;
  }

  /// Whether a segment has the name, or something that is none of ours.
  static bool is_alive(const ObjectName& object, Context context) {
    try {
      return windows_only::open_by_sign(object, Access::read_only, Owner::me, context).has_value();
    } catch (const Error&) {
      return true;
    }
  }

  std::wstring name_;
  Descriptor memory_;
  Descriptor sign_;
};

inline std::optional<UnpublishedObject> prepare_named(const ObjectName& name, std::size_t bytes,
                                                      const CreateOptions& options, Context context) {
  if (name.scope == Scope::machine && !windows_only::may_name_globally()) {
    throw Error(
        errc::permission_denied,
        context + "a name for all sessions needs the privilege SeCreateGlobalPrivilege, which is not enabled here",
        "run it as a service or as an administrator, or use Scope::session; attaching needs no privilege");
  }
  std::array<unsigned char, 16> random{};
  if (!random_bytes(random.data(), random.size())) throw refused(last_error(), context, "BCryptGenRandom");
  std::string unique;
  for (const unsigned char byte : random) unique.append({"0123456789abcdef"[byte / 16], "0123456789abcdef"[byte % 16]});
  return UnpublishedObject(windows_only::object_name(name.scope, L"ndshm-data.", unique, context), bytes, options.mode,
                           context);
}

inline UnpublishedObject prepare_anonymous(std::size_t bytes, unsigned mode, Context context) {
  return {{}, bytes, mode, context};
}

/// Opens the object of that name to look at it. Nothing where there is none, or none that may be read.
inline std::optional<Object> peek_named(const ObjectName& name) {
  try {
    return windows_only::open_by_sign(name, Access::read_only, Owner::me, Context("peek", name.name));
  } catch (const Error& error) {
    if (error.condition() == errc::permission_denied) return std::nullopt;
    throw;
  }
}

/// What can be opened is held.
inline bool is_held(const Object&, const ObjectName&) { return true; }

/// What open_named() found.
struct HeldObject {
  Object object;
  bool was_idle;  // nobody else held it, so that kind_of(object) was asked
};

template <class KindOf>
std::optional<HeldObject> open_named(const ObjectName& name, Access access, const AttachOptions& options, KindOf,
                                     Context context) {
  auto object = windows_only::open_by_sign(name, access, options.owner, context);
  if (!object) return std::nullopt;
  return HeldObject{std::move(*object), false};
}

namespace windows_only {

/// A duplicate of a handle of `process`, as it is.
inline Descriptor duplicate_of(HANDLE process, int number, Context context) {
  HANDLE copy = nullptr;
  if (::DuplicateHandle(process, handle_of(number), ::GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) !=
      0) {
    return Descriptor(copy);
  }
  throw Error(errc::not_found, last_error(), context + "handle " + std::to_string(number), array_is_gone);
}

/// The object behind a handle that somebody else made, with no more access than that one has and is asked for. What the
/// handle allows is tried: the system would let its user duplicate it with more.
inline Object open_checked(Descriptor handle, int number, Access access, Context context) {
  if (access == Access::read_write && View(handle.handle(), FILE_MAP_READ | FILE_MAP_WRITE).get() == nullptr &&
      View(handle.handle(), FILE_MAP_READ).get() != nullptr) {
    throw Error(errc::read_only, context + "handle " + std::to_string(number) + " is open for reading only",
                "attach<const T, N>");
  }
  if (access == Access::read_only) {
    HANDLE weaker = nullptr;
    if (::DuplicateHandle(::GetCurrentProcess(), handle.handle(), ::GetCurrentProcess(), &weaker, rights(access), FALSE,
                          0) == 0) {
      throw refused(last_error(), context, "DuplicateHandle");
    }
    handle = Descriptor(weaker);
  }
  return {std::move(handle), {}, access, context};
}

}  // namespace windows_only

/// A handle of this process that somebody else keeps, for what is behind it.
inline Object open_descriptor(int number, Access access, Context context) {
  return windows_only::open_checked(windows_only::duplicate_of(::GetCurrentProcess(), number, context), number, access,
                                    context);
}

/// A handle of another process of this user.
inline Object open_process_descriptor(std::uint64_t pid, int number, Access access, Context context) {
  if (pid == process_id()) return open_descriptor(number, access, context);
  const Descriptor process(::OpenProcess(PROCESS_DUP_HANDLE, FALSE, static_cast<DWORD>(pid)));
  if (!process) {
    const std::error_code error = last_error();
    const std::string call = "OpenProcess " + std::to_string(pid);
    if (error.value() == ERROR_INVALID_PARAMETER) throw Error(errc::not_found, error, context + call);  // it is gone
    throw refused(error, context, call);
  }
  return windows_only::open_checked(windows_only::duplicate_of(process.handle(), number, context), number, access,
                                    context);
}

/// Nothing is ever left to sweep: the kernel removes what nobody has open, so what has the name is alive.
template <class KindOf>
Swept sweep_named(const ObjectName&, KindOf) {
  return Swept::in_use;
}

}  // namespace ndshm::detail::os
