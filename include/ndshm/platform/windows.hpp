// SPDX-License-Identifier: BSL-1.0
// windows.hpp: memory objects of Windows: file mappings without a file. The same functions as in linux.hpp;
// platform.hpp says what each one promises.
//
// A file mapping can be opened by its name from the moment in which it is made, so the elements lie in one with a name
// that nobody can guess, and the segment's own name belongs to a second one of a few bytes, the sign, which says what
// the first one is called. It is made when the elements are complete. Whoever holds a segment has both open; the kernel
// removes each with its last handle, however the processes end. Making and reading signs is done under a mutex of the
// same name, which the kernel takes from a process that ends: a sign that is not finished is nobody's.
//
// Different from linux.hpp: nothing outlives its last process (no lifetime::persistent); memory is always committed,
// so that reserve::lazy does not make room for arrays larger than memory and page file, but pages are still made on
// first touch; nobody can tell which names there are; only the user who made a segment can attach it.
// Sources: CreateFileMapping, MapViewOfFile, DuplicateHandle, "Kernel object namespaces", "Mutex objects" of the
// Windows documentation.
#pragma once

#include <ndshm/platform/windows_base.hpp>
// After windows.h.
#include <ndshm/platform/windows_process.hpp>
#include <ndshm/platform/windows_wait.hpp>

#include <algorithm>
#include <array>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <ndshm/detail/crash_point.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ndshm::detail::os {

template <class>
inline constexpr bool has_fork = false;
inline constexpr bool has_persistence = false;
inline constexpr bool can_list = false;
inline constexpr const char* directory = "the page file";
inline constexpr std::size_t max_name_bytes = 200;

/// What Boost.Interprocess maps: a handle and how to map it.
class Mappable {
 public:
  Mappable(int number, Access access) : number_(number), access_(access) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const {
    boost::interprocess::mapping_handle_t result{};
    result.handle = handle_of(number_);
    result.is_shm = true;
    return result;
  }
  boost::interprocess::mode_t get_mode() const { return mode(); }
  boost::interprocess::mode_t mode() const {
    return access_ == Access::read_only ? boost::interprocess::read_only : boost::interprocess::read_write;
  }

 private:
  int number_;
  Access access_;
};

inline boost::interprocess::mapped_region map(int number, Access access, std::size_t bytes,
                                              const std::string& subject) {
  const Mappable mappable(number, access);
  try {
    return {mappable, mappable.mode(), 0, bytes};
  } catch (const boost::interprocess::interprocess_exception& error) {
    throw refused(windows_only::error_of(static_cast<DWORD>(error.get_native_error())), subject,
                  "mapping " + format_bytes(bytes) + " of memory");
  }
}

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
  using Compare = BOOL(WINAPI*)(HANDLE, HANDLE);  // since Windows 10
  static const auto compare = reinterpret_cast<Compare>(
      reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"kernelbase.dll"), "CompareObjectHandles")));
  return compare == nullptr || compare(a, b) != 0;
}

}  // namespace windows_only

/// An object that is open, and the sign of a named one, which keeps its name.
class Object {
 public:
  Object(Descriptor memory, Descriptor sign, Access access, const std::string& subject)
      : memory_(std::move(memory)),
        sign_(std::move(sign)),
        access_(access),
        view_(memory_.handle(), FILE_MAP_READ),
        size_(view_.size()) {
    if (view_.get() != nullptr) return;
    const std::error_code error = last_error();
    if (error.value() != ERROR_INVALID_HANDLE) throw refused(error, subject, "MapViewOfFile");
    throw Error(errc::not_a_segment, error,
                subject + "what is behind handle " + std::to_string(memory_.get()) + " is not a segment of ndshm");
  }

  std::size_t size() const { return size_; }
  Access access() const { return access_; }
  int descriptor() const { return memory_.get(); }
  bool is_writable() const { return access_ == Access::read_write; }
  bool is_same_as(const Object& other) const {
    return windows_only::is_same_kernel_object(memory_.handle(), other.memory_.handle());
  }
  static constexpr bool is_frozen() { return false; }
  static void freeze(const std::string& subject) {
    throw Error(errc::unsupported, subject + "Windows has no way to take writing away",
                "hand on handles that grant reading only: array.handle().as_read_only()");
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
  boost::interprocess::mapped_region map(std::size_t bytes, const std::string& subject) const {
    return os::map(memory_.get(), access_, bytes, subject);
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
  static constexpr std::array<char, 8> right_magic{'N', 'D', 'S', 'H', 'M', 's', 'g', 'n'};
  std::array<char, 8> magic;  // written last
  std::array<wchar_t, 64> memory;
};

enum class Scope { session, machine };

inline std::wstring object_name(Scope scope, std::wstring_view kind, std::string_view name) {
  return std::wstring(scope == Scope::session ? L"Local\\" : L"Global\\").append(kind).append(wide(name));
}

inline std::wstring sign_name(Scope scope, std::string_view name) { return object_name(scope, L"ndshm.", name); }

/// Keeps others from making or reading the sign of that name.
class NameLock {
 public:
  NameLock(Scope scope, std::string_view name, const std::string& subject) {
    OwnerOnly owner(subject);
    const std::wstring mutex = object_name(scope, L"ndshm-lock.", name);
    mutex_ = Descriptor(::CreateMutexW(owner.get(), FALSE, mutex.c_str()));
    if (!mutex_) throw refused(last_error(), subject, "CreateMutex " + narrow(mutex));
    constexpr DWORD limit = 1000;  // ms, for what takes microseconds
    const DWORD got = ::WaitForSingleObject(mutex_.handle(), limit);
    if (got == WAIT_OBJECT_0 || got == WAIT_ABANDONED) return;
    if (got == WAIT_FAILED) throw refused(last_error(), subject, "WaitForSingleObject");
    throw Error(errc::timed_out, subject + "another process has had the name locked for 1 s",
                "is that process suspended?");
  }
  NameLock(const NameLock&) = delete;
  NameLock& operator=(const NameLock&) = delete;
  ~NameLock() { ::ReleaseMutex(mutex_.handle()); }

 private:
  Descriptor mutex_;
};

/// Opens a segment by its name; under the lock of that name. Nothing where there is none that is complete.
inline std::optional<Object> open_by_sign(Scope scope, std::string_view name, Access access,
                                          const std::string& subject) {
  const std::wstring path = sign_name(scope, name);
  Descriptor sign(::OpenFileMappingW(FILE_MAP_READ, FALSE, path.c_str()));
  if (!sign) {
    if (::GetLastError() == ERROR_FILE_NOT_FOUND) return std::nullopt;
    if (::GetLastError() == ERROR_INVALID_HANDLE) {
      throw Error(errc::not_a_segment, last_error(), subject + "the name belongs to an object that is no memory");
    }
    throw refused(last_error(), subject, "OpenFileMapping " + narrow(path));
  }
  const View view(sign.handle(), FILE_MAP_READ);
  if (view.get() == nullptr) throw refused(last_error(), subject, "MapViewOfFile " + narrow(path));
  Sign said{};
  if (view.size() < sizeof said) throw Error(errc::not_a_segment, subject + "the name belongs to a stranger's memory");
  std::memcpy(&said, view.get(), sizeof said);
  if (said.magic == decltype(said.magic){}) return std::nullopt;  // its maker ended before it was finished
  if (said.magic != Sign::right_magic) {
    throw Error(errc::not_a_segment, subject + "the name belongs to a stranger's memory");
  }
  said.memory.back() = L'\0';
  Descriptor memory(::OpenFileMappingW(rights(access), FALSE, said.memory.data()));
  if (!memory) {
    if (::GetLastError() == ERROR_FILE_NOT_FOUND) return std::nullopt;  // its last holder is just ending
    throw refused(last_error(), subject, "OpenFileMapping");
  }
  return Object(std::move(memory), std::move(sign), access, subject);
}

}  // namespace windows_only

/// An object that nobody else can see yet.
class Draft {
 public:
  Draft(Descriptor memory, std::wstring name) : memory_(std::move(memory)), name_(std::move(name)) {}
  int descriptor() const { return memory_.get(); }

  /// Gives it the name, complete as it is; false when the name is taken.
  bool publish(std::string_view name, const std::string& subject) {
    using namespace windows_only;
    constexpr Scope scope = Scope::session;
    const NameLock lock(scope, name, subject);
    NDSHM_CRASH_POINT("create: locked");
    OwnerOnly owner(subject);
    const std::wstring path = sign_name(scope, name);
    Descriptor sign(
        ::CreateFileMappingW(INVALID_HANDLE_VALUE, owner.get(), PAGE_READWRITE, 0, sizeof(Sign), path.c_str()));
    if (!sign) {
      if (::GetLastError() == ERROR_INVALID_HANDLE) return false;  // another kind of object has it
      throw refused(last_error(), subject, "CreateFileMapping " + narrow(path));
    }
    if (::GetLastError() == ERROR_ALREADY_EXISTS) return false;
    NDSHM_CRASH_POINT("create: signed");
    const View view(sign.handle(), FILE_MAP_READ | FILE_MAP_WRITE);
    if (view.get() == nullptr) throw refused(last_error(), subject, "MapViewOfFile " + narrow(path));
    Sign said{};
    std::copy(name_.begin(), name_.end(), said.memory.begin());
    std::memcpy(view.get(), &said, sizeof said);
    said.magic = Sign::right_magic;
    std::memcpy(view.get(), &said.magic, sizeof said.magic);
    sign_ = std::move(sign);
    return true;
  }

  Object finish(const std::string& subject) && {
    return {std::move(memory_), std::move(sign_), Access::read_write, subject};
  }

 private:
  Descriptor memory_;
  std::wstring name_;  // of the memory; empty for an anonymous one
  Descriptor sign_;
};

namespace windows_only {

inline Draft make_draft(std::wstring name, std::size_t bytes, unsigned mode, const std::string& subject) {
  if (mode != 0600) {
    throw Error(errc::unsupported, subject + "on Windows only the user who made an array can attach it",
                "leave the mode away");
  }
  OwnerOnly owner(subject);
  const auto size = static_cast<std::uint64_t>(bytes);
  Descriptor memory(::CreateFileMappingW(INVALID_HANDLE_VALUE, owner.get(), PAGE_READWRITE,
                                         static_cast<DWORD>(size >> 32), static_cast<DWORD>(size),
                                         name.empty() ? nullptr : name.c_str()));
  if (!memory) throw refused(last_error(), subject, "CreateFileMapping of " + format_bytes(bytes));
  return {std::move(memory), std::move(name)};
}

}  // namespace windows_only

inline std::optional<Draft> draft_named(std::string_view, std::size_t bytes, unsigned mode,
                                        const std::string& subject) {
  const std::string unique = boost::uuids::to_string(boost::uuids::random_generator()());
  return windows_only::make_draft(windows_only::object_name(windows_only::Scope::session, L"ndshm-data.", unique),
                                  bytes, mode, subject);
}

inline Draft draft_anonymous(std::size_t bytes, unsigned mode, const std::string& subject) {
  return windows_only::make_draft({}, bytes, mode, subject);
}

/// Opens the object of that name to look at it. Nothing where there is none, or none that may be read.
inline std::optional<Object> peek_named(std::string_view name) {
  try {
    const windows_only::NameLock lock(windows_only::Scope::session, name, "peek: ");
    return windows_only::open_by_sign(windows_only::Scope::session, name, Access::read_only, "peek: ");
  } catch (const Error& error) {
    if (error.condition() == errc::permission_denied) return std::nullopt;
    throw;
  }
}

/// What can be opened is held.
inline bool is_held(const Object&, std::string_view) { return true; }

template <class KindOf>
std::optional<Object> open_named(std::string_view name, Access access, bool, KindOf, const std::string& subject) {
  const windows_only::NameLock lock(windows_only::Scope::session, name, subject);
  return windows_only::open_by_sign(windows_only::Scope::session, name, access, subject);
}

namespace windows_only {

/// A duplicate of a handle of `process`, as it is.
inline Descriptor duplicate_of(HANDLE process, int number, const std::string& subject) {
  HANDLE copy = nullptr;
  if (::DuplicateHandle(process, handle_of(number), ::GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) !=
      0) {
    return Descriptor(copy);
  }
  throw Error(errc::not_found, last_error(), subject + "handle " + std::to_string(number),
              "its array is gone, or it belongs to another process: let it be inherited, or send one that names its "
              "process");
}

/// The object behind a handle that somebody else made, with no more access than that one has and is asked for. What the
/// handle allows is tried: the system would let its user duplicate it with more.
inline Object open_checked(Descriptor handle, int number, Access access, const std::string& subject) {
  if (access == Access::read_write && View(handle.handle(), FILE_MAP_READ | FILE_MAP_WRITE).get() == nullptr &&
      View(handle.handle(), FILE_MAP_READ).get() != nullptr) {
    throw Error(errc::read_only, subject + "handle " + std::to_string(number) + " is open for reading only",
                "attach<const T, N>");
  }
  if (access == Access::read_only) {
    HANDLE weaker = nullptr;
    if (::DuplicateHandle(::GetCurrentProcess(), handle.handle(), ::GetCurrentProcess(), &weaker, rights(access), FALSE,
                          0) == 0) {
      throw refused(last_error(), subject, "DuplicateHandle");
    }
    handle = Descriptor(weaker);
  }
  return {std::move(handle), {}, access, subject};
}

}  // namespace windows_only

/// A handle of this process that somebody else keeps, for what is behind it.
inline Object open_descriptor(int number, Access access, const std::string& subject) {
  return windows_only::open_checked(windows_only::duplicate_of(::GetCurrentProcess(), number, subject), number, access,
                                    subject);
}

/// A handle of another process of this user.
inline Object open_process_descriptor(std::uint64_t pid, int number, Access access, const std::string& subject) {
  if (pid == process_id()) return open_descriptor(number, access, subject);
  const Descriptor process(::OpenProcess(PROCESS_DUP_HANDLE, FALSE, static_cast<DWORD>(pid)));
  if (!process) throw refused(last_error(), subject, "OpenProcess " + std::to_string(pid));
  return windows_only::open_checked(windows_only::duplicate_of(process.handle(), number, subject), number, access,
                                    subject);
}

/// Nothing is ever left to sweep: the kernel removes what nobody has open.
template <class KindOf>
Swept sweep_named(std::string_view name, KindOf) {
  return peek_named(name) ? Swept::kept : Swept::absent;
}

inline std::vector<std::string> names() { return {}; }

/// What a program without this library opens to see the bytes: there are no paths.
inline std::string path_of_name(std::string_view, const std::string& subject) {
  throw Error(errc::unsupported, subject + "Windows does not show memory objects as files");
}
inline std::string path_of_descriptor(int, const std::string& subject) { return path_of_name({}, subject); }

/// Lets time pass: nothing tells that a name has come.
class NameWatch {
 public:
  void wait(std::chrono::nanoseconds limit) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)));
  }
};

/// There is no fork to count them for.
inline std::size_t count_threads() { return 0; }

/// Memory was committed when the object was made.
inline std::error_code commit(int, std::size_t, std::size_t) { return {}; }
inline void give_back(int) {}
inline Space space_of_names() { return {}; }
inline bool huge_pages_are_on(bool) { return false; }
inline std::error_code populate_huge(void*, std::size_t) { return std::make_error_code(std::errc::not_supported); }

/// Bytes that can still be committed.
inline std::uint64_t available_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return ::GlobalMemoryStatusEx(&status) != 0 ? status.ullAvailPageFile : UINT64_MAX;
}

/// There are no sockets that carry handles.
class Socket {
 public:
  Socket(int, std::chrono::nanoseconds, const std::string& subject) {
    throw Error(errc::unsupported, subject + "no socket of Windows carries a handle",
                "send the text of array.handle(): it names this process, from which the other one takes the array");
  }
  static constexpr bool is_stream() { return false; }
  static constexpr bool has_end() { return false; }
  void send(std::string_view, int) {}
  std::string receive(std::size_t) { return {}; }
  static constexpr std::size_t descriptors() { return 0; }
  static constexpr bool has_lost_descriptors() { return false; }
  Descriptor take_descriptor() { return {}; }
};

}  // namespace ndshm::detail::os
