// SPDX-License-Identifier: BSL-1.0
// spawn.hpp: starting another program that attaches arrays of this one. inherited.hpp is its side. Includes segment/,
// no xtensor.
//
//   auto child = ndshm::spawn("worker", {"--fast"}, {array.handle()});
//
// Other threads may run, and nothing of this process is left in the child but the standard streams, the environment and
// what was handed over.
#pragma once

#include <cstddef>
#include <filesystem>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/format/place.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/process/inherited.hpp>
#include <ndshm/process/process.hpp>
#include <ndshm/segment/resolve.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// Where and with which environment spawn() starts a program.
struct SpawnOptions {
  /// Variables besides, or in place of, those of this process. Not NDSHM_….
  std::vector<std::pair<std::string, std::string>> environment{};
  /// Where the child starts; empty: where this process is.
  std::filesystem::path working_directory{};
};

/// Returns the path of the program that this process runs, to start it again. Throws: errc::unsupported if the system
/// does not tell (Linux, macOS and Windows do).
inline std::filesystem::path this_program() {
  const std::string path = detail::os::program_path(detail::Context("this_program"));
  return std::u8string(path.begin(), path.end());
}

namespace detail {

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
                  "choose a name that does not start with NDSHM_");
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
    std::string text;
    if (handles[i].is_named()) {
      text = handles[i].to_string();
    } else {
      objects.push_back(resolve_object(handles[i], context.of_handle(i)));
      text = handles[i].at(InheritedPlace{descriptors.size()}).to_string();
      descriptors.push_back(objects.back().descriptor());
    }
    program.environment.emplace_back(handle_variable + std::to_string(i), std::move(text));
  }
  program.environment.emplace_back(count_variable, std::to_string(handles.size()));
  return ProcessAccess::make(os::spawn_child(program, descriptors, context));
}

}  // namespace detail

/// Starts another program. Returns its process. `program` is a path, or a name without a slash that is looked up in
/// PATH; `arguments` come behind it; `handles` are what the child gets as inherited(0), inherited(1), …. Named arrays
/// are attached by their names: keep them until the child has attached them. Anonymous ones are passed on at once, each
/// as one descriptor of the child; that of a handle which grants reading only is opened for reading only (Linux,
/// Windows), so that no mapping of it can be made writable. Throws: errc::not_found, permission_denied or system_error
/// if the program cannot be started, stale_handle if the array of a handle no longer exists, invalid_argument if a text
/// has a NUL in it or a variable is not one that a child can be given, read_only if a handle grants writing to an array
/// that has been frozen, unsupported if the system cannot start a child in another directory.
[[nodiscard]] inline Process spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments = {},
                                   const std::vector<Handle>& handles = {}, const SpawnOptions& options = {}) {
  return detail::spawn(program, arguments, handles, options, {});
}

}  // namespace ndshm
