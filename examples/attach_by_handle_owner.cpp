// SPDX-License-Identifier: BSL-1.0
// attach_by_handle_owner.cpp: hands arrays to a program that was started on its own: one with a name, a view of it, and
// one without a name. What goes through the pipe is a line of text for each, however large the array.
// Usage: attach_by_handle_owner READER, the path of attach_by_handle_reader.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>
#include <ndshm/ndshm.hpp>
#include <string>

extern char** environ;

namespace {

/// A program that reads what this one writes.
class Reader {
 public:
  explicit Reader(char* program) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    ::posix_spawn_file_actions_addclose(&actions, ends[0]);
    ::posix_spawn_file_actions_addclose(&actions, ends[1]);  // or the reader would wait for itself to end its input
    std::array<char*, 2> arguments{program, nullptr};
    const int error = ::posix_spawn(&pid_, program, &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[0]);
    input_ = ends[1];
    if (error != 0) throw std::system_error(error, std::generic_category(), program);
  }

  void send(const std::string& line) const {
    const std::string text = line + "\n";
    if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::system_error(errno, std::generic_category(), "write to the reader");
  }

  /// Ends its input and waits until it has ended itself; returns its exit code.
  int finish() const {
    ::close(input_);
    int status = -1;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  int input_ = -1;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " READER\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has died shall be an error, not the end of this program

  auto named = ndshm::create<double>("handle-" + std::to_string(::getpid()), {2, 6});
  auto anonymous = ndshm::create<double>({2, 3});
  named.fill(1.0);
  anonymous.fill(10.0);

  // A view is handed over like an array: the handle has its strides.
  auto even_columns = xt::view(named, xt::all(), xt::range(0, 6, 2));
  std::cout << "owner: named\n" << named << "\nowner: anonymous\n" << anonymous << std::endl;

  const Reader reader(argv[1]);
  reader.send(named.handle().to_string());
  reader.send(named.handle(even_columns).to_string());
  // Without a name the handle says "descriptor N of process P": it is good as long as this process keeps the array, for
  // processes of the same user.
  reader.send(anonymous.handle().to_string());
  const int exit_code = reader.finish();

  std::cout << "owner: the reader ended with " << exit_code << "\n"
            << "owner: named\n"
            << named << "\nowner: anonymous\n"
            << anonymous << "\n";
  return exit_code;
} catch (const std::exception& error) {
  std::cerr << "owner: " << error.what() << "\n";
  return 1;
}
