// SPDX-License-Identifier: BSL-1.0
// spawn.hpp: starting another program that attaches arrays of this one: spawn() here, inherited() and run_main() there.
// Includes process.hpp, handle.hpp and segment.hpp, no xtensor.
//
//   auto child = ndshm::spawn("worker", {"--fast"}, {array.handle()});           // this program
//   auto array = ndshm::attach<double, 2>(ndshm::inherited(0));                  // the other one
//
// Other threads may run, and nothing of this process is left in the child but the standard streams, the environment and
// what was handed over. The handles travel in the variables NDSHM_HANDLE_0, _1, … and NDSHM_HANDLE_COUNT, those of
// anonymous arrays with a descriptor, whose place among the inherited ones stands in the text. All variables that start
// with NDSHM_ are the library's own, meant for one child alone: spawn() does not pass on those that this process was
// given.
#pragma once

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <ndshm/format/handle.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/segment/segment.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// For spawn().
struct SpawnOptions {
  /// Variables besides, or in place of, those of this process. Not NDSHM_….
  std::vector<std::pair<std::string, std::string>> environment{};
  /// Where the child starts; empty: where this process is.
  std::filesystem::path working_directory{};
};

/// Starts another program. `program` is a path, or a name without a slash that is looked up in PATH; `arguments` come
/// behind it; `handles` are what the child gets as inherited(0), inherited(1), …. Named arrays are attached by their
/// names: keep them until the child has them. Anonymous ones are handed over here and now, each as one descriptor of
/// the child's; that of a handle which grants reading only is opened for reading only (Linux, Windows), so that no
/// mapping of it can be made writable. Throws errc::not_found, permission_denied or system_error when the program
/// cannot be started, stale_handle when a handle's array is gone, invalid_argument for text that no program can be
/// given, unsupported where the system has no working directory for children.
[[nodiscard]] Process spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments = {},
                            const std::vector<Handle>& handles = {}, const SpawnOptions& options = {});

/// The path of the program that this process runs, to start it again. Throws errc::unsupported where the system does
/// not tell (Linux, macOS and Windows do).
inline std::filesystem::path this_program() {
  const std::string path = detail::os::program_path(detail::Context("this_program"));
  return std::u8string(path.begin(), path.end());
}

/// How many handles this process was given by the spawn() that started it; 0 when none did.
std::size_t inherited_count();

/// The handle number `index` of those given to spawn(). It can be attached any number of times: its descriptor stays
/// open, and with it the memory of an anonymous array, until this process ends. Programs that this one starts do not
/// get it, unless it is handed over again. Throws errc::not_found when there are not that many.
Handle inherited(std::size_t index);

/// For main(): `return ndshm::run_main([&] { … });`. Runs a function that returns void or an int, the exit code. An
/// exception that leaves it reaches the Process of the spawn() that started this program as text, or is printed when
/// there is none; the exit code is Process::exception_exit_code then.
template <class Function>
int run_main(Function&& function) {
  inherited_count();  // what was handed over closes on exec from here on
  return detail::run_and_report(function);
}

namespace detail {

inline constexpr const char* handle_variable = "NDSHM_HANDLE_";
inline constexpr const char* count_variable = "NDSHM_HANDLE_COUNT";

/// The texts of the handles that this process was given; none when it was not spawned.
inline const std::vector<std::string>& inherited_texts() {
  // Never destroyed: destructors of static objects may ask.
  static const std::vector<std::string>& texts = *new std::vector<std::string>([] {
    std::vector<std::string> found;
    const char* const value = std::getenv(count_variable);
    if (!os::inherited_descriptors() || value == nullptr) return found;
    const std::string_view digits = value;
    std::size_t count = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
    while (found.size() < count) {
      const char* const text = std::getenv((handle_variable + std::to_string(found.size())).c_str());
      if (text == nullptr) break;
      found.emplace_back(text);
    }
    return found;
  }());
  return texts;
}

/// What cannot be passed on unchanged is refused.
inline void require_text(std::string_view text, std::string_view what, Context context) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Error(errc::invalid_argument, context + std::string(what) + " " + in_quotes(text) + " has a NUL in it");
}

inline os::Program program_for(const std::filesystem::path& path, const std::vector<std::string>& arguments,
                               const SpawnOptions& options, Context context) {
  const auto text = [](const std::filesystem::path& of) {
    const auto utf8 = of.u8string();
    return std::string(utf8.begin(), utf8.end());
  };
  os::Program program{text(path), arguments, options.environment, text(options.working_directory)};
  require_text(program.path, "the program", context);
  require_text(program.working_directory, "the directory", context);
  for (const std::string& argument : arguments) require_text(argument, "the argument", context);
  for (const auto& [name, value] : options.environment) {
    require_text(name, "the variable", context);
    require_text(value, "the value", context);
    if (name.empty() || name.find('=') != std::string::npos) {
      throw Error(errc::invalid_argument, context + in_quotes(name) + " is not the name of a variable");
    }
    if (name.starts_with("NDSHM_")) {
      throw Error(errc::invalid_argument, context + "the variable " + in_quotes(name) + " is the library's own",
                  "take a name that does not start with NDSHM_");
    }
  }
  if (program.working_directory.empty()) return program;
  std::error_code error;
  if (!std::filesystem::is_directory(options.working_directory, error)) {
    throw Error(errc::not_found, error, context + "there is no directory " + in_quotes(program.working_directory));
  }
  // A relative path means the same program wherever the child starts.
  if (path.has_parent_path()) program.path = text(std::filesystem::absolute(path));
  return program;
}

/// The object behind an anonymous handle, through a descriptor that allows what the handle grants.
inline os::Object object_of(const Handle& handle, Context context) {
  const Handle::Place& place = handle.place();
  const Access access = handle.is_read_only() ? Access::read_only : Access::read_write;
  const bool elsewhere = place.pid && *place.pid != os::process_id();
  os::Object object = elsewhere ? os::open_process_descriptor(*place.pid, place.descriptor, access, context)
                                : os::open_descriptor(place.descriptor, access, context);
  // The number may belong to something else by now, which is no business of the child's.
  if (uuid_of(describe(object, context).control) == handle.uuid()) return object;
  throw Error(errc::stale_handle, context + "another array has taken the place of the one that the handle means",
              "keep the array until spawn has returned");
}

/// What a child of the library's own is given besides.
struct SpawnExtras {
  std::vector<int> descriptors{};  ///< they come before those of the handles
  os::Variables variables{};
  int job = -1;  ///< see os::Program
};

inline Process spawn(const std::filesystem::path& path, const std::vector<std::string>& arguments,
                     const std::vector<Handle>& handles, const SpawnOptions& options, SpawnExtras extras) {
  const std::string name = path.generic_string();
  const Context context("spawn", name);
  os::Program program = program_for(path, arguments, options, context);
  program.environment.insert(program.environment.end(), extras.variables.begin(), extras.variables.end());
  program.job = extras.job;
  std::vector<int>& descriptors = extras.descriptors;
  std::vector<os::Object> objects;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    std::string text = handles[i].to_string();
    if (handles[i].name().empty()) {
      objects.push_back(object_of(handles[i], context.of_handle(i)));
      text = handles[i].as_inherited(static_cast<int>(descriptors.size())).to_string();
      descriptors.push_back(objects.back().descriptor());
    }
    program.environment.emplace_back(handle_variable + std::to_string(i), std::move(text));
  }
  program.environment.emplace_back(count_variable, std::to_string(handles.size()));
  return Process(os::spawn_child(program, descriptors, context));
}

}  // namespace detail

inline Process spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                     const std::vector<Handle>& handles, const SpawnOptions& options) {
  return detail::spawn(program, arguments, handles, options, {});
}

inline std::size_t inherited_count() { return detail::inherited_texts().size(); }

inline Handle inherited(std::size_t index) {
  const std::vector<std::string>& texts = detail::inherited_texts();
  if (index < texts.size()) {
    Handle handle = Handle::parse(texts[index]);
    if (!handle.name().empty()) return handle;
    const auto place = static_cast<std::size_t>(handle.place().descriptor);
    if (place < detail::os::inherited_descriptors().value_or(0)) {
      return handle.as_inherited(detail::os::inherited_descriptor(place));
    }
    throw Error(errc::invalid_handle, "inherited: handle " + std::to_string(index) + " means descriptor " +
                                          std::to_string(place) + " of those that this process was given");
  }
  const std::string given = detail::os::inherited_descriptors()
                                ? "this process was given " + std::to_string(texts.size())
                                : "this process was not started by ndshm::spawn";
  throw Error(errc::not_found, "inherited: there is no handle " + std::to_string(index) + ", " + given,
              "give it to ndshm::spawn(program, arguments, {handle, ...})");
}

}  // namespace ndshm::inline NDSHM_ABI_NAMESPACE
