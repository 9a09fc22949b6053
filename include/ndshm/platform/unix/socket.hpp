// SPDX-License-Identifier: BSL-1.0
// unix/socket.hpp: bytes and a descriptor over a Unix domain socket, for the files of linux/ and portable/. Nothing
// outside platform/ includes it. Sources: unix(7), sendmsg(3p), cmsg(3).
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/platform/unix/errors.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace ndshm::inline NDSHM_ABI_NAMESPACE::detail::os {

namespace unix_only {

/// A caller's socket for the time of one message. Waits no longer than the time-out in all, whether the socket itself
/// blocks or not. Closes every descriptor that it got and that nobody took. `receive_flags` lets what comes close on
/// exec from its first moment on; 0 where the system cannot do that.
template <int receive_flags>
class BasicSocket {
 public:
  /// Throws errc::invalid_argument for what is not a Unix domain socket.
  BasicSocket(int fd, std::chrono::nanoseconds timeout, Context context)
      : fd_(fd), timeout_((std::max)(timeout, std::chrono::nanoseconds(0))), context_(context) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) throw no_socket(last_error());
    if (address.ss_family != AF_UNIX) throw no_socket({});
    int type = 0;
    length = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) throw no_socket(last_error());
    is_stream_ = type == SOCK_STREAM;
    has_end_ = type != SOCK_DGRAM;
  }
  BasicSocket(const BasicSocket&) = delete;
  BasicSocket& operator=(const BasicSocket&) = delete;

  /// Whether messages have no boundaries of their own.
  bool is_stream() const noexcept { return is_stream_; }
  /// Whether the other side can close it.
  bool has_end() const noexcept { return has_end_; }

  /// Sends all of it, the descriptor with the first byte; -1: none. Raises no signal.
  void send(std::string_view bytes, int descriptor) {
    never_signal();
    for (std::size_t done = 0; done < bytes.size();) {
      Message message(const_cast<char*>(bytes.data()) + done, bytes.size() - done);
      if (descriptor >= 0 && done == 0) message.add(descriptor);
      const auto sent = ::sendmsg(fd_, &message.header, MSG_DONTWAIT | no_signal);
      if (sent >= 0) {
        done += static_cast<std::size_t>(sent);
      } else {
        wait_or_throw(POLLOUT, "send", done, bytes.size());
      }
    }
  }

  /// The next `bytes` bytes of a stream, or the next message, cut off after so many. Fewer where the other side has
  /// closed, or the message is shorter.
  std::string receive(std::size_t bytes) {
    std::string result(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes) {
      Message message(result.data() + done, bytes - done);
      message.make_room();
      const auto got = ::recvmsg(fd_, &message.header, MSG_DONTWAIT | receive_flags);
      if (got < 0 && errno == ECONNRESET) break;  // closed, with something unread on the other side
      if (got < 0) {
        wait_or_throw(POLLIN, "receive", done, bytes);
        continue;
      }
      collect(message.header);
      done += static_cast<std::size_t>(got);
      if (got == 0 || !is_stream_) break;
    }
    result.resize(done);
    return result;
  }

  /// How many descriptors came along, and the first of them.
  std::size_t descriptors() const noexcept { return descriptors_; }
  Descriptor take_descriptor() noexcept { return std::move(first_); }
  /// Whether more came along than this process could be given.
  bool has_lost_descriptors() const noexcept { return lost_; }

 private:
#if defined(MSG_NOSIGNAL)
  static constexpr int no_signal = MSG_NOSIGNAL;
  void never_signal() const {}
#else
  static constexpr int no_signal = 0;
  void never_signal() const {  // macOS: for all of the socket's life
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  }
#endif

  /// What sendmsg and recvmsg take: one piece of memory, and room for descriptors.
  struct Message {
    Message(char* data, std::size_t bytes) : piece{data, bytes} {
      header.msg_iov = &piece;
      header.msg_iovlen = 1;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    void make_room() {
      header.msg_control = control.data();
      header.msg_controllen = static_cast<decltype(header.msg_controllen)>(control.size());
    }
    void add(int descriptor) {
      header.msg_control = control.data();
      header.msg_controllen = static_cast<decltype(header.msg_controllen)>(CMSG_SPACE(sizeof descriptor));
      cmsghdr* const part = CMSG_FIRSTHDR(&header);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = static_cast<decltype(part->cmsg_len)>(CMSG_LEN(sizeof descriptor));
      std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
    }

    iovec piece;
    msghdr header{};
    // More than any system lets come at once, so that what comes can be closed instead of being lost.
    alignas(cmsghdr) std::array<char, 4096> control{};
  };

  /// Owns the descriptors of a message: keeps the first one of all, closes the others.
  void collect(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(part) + i * sizeof number, sizeof number);
        Descriptor descriptor(number);
        if constexpr (receive_flags == 0) ::fcntl(number, F_SETFD, FD_CLOEXEC);
        if (descriptors_++ == 0) first_ = std::move(descriptor);
      }
    }
    lost_ = lost_ || (header.msg_flags & MSG_CTRUNC) != 0;
  }

  /// After a call that failed: waits where that helps.
  void wait_or_throw(short event, std::string_view call, std::size_t done, std::size_t bytes) const {
    const int error = errno;
    if (error == EINTR) return;
    // Too much is under way: nothing to poll for.
    const bool crowded = error == ENOBUFS || error == ETOOMANYREFS;
    if (!crowded && error != EAGAIN && error != EWOULDBLOCK) throw refused_by_socket(call, error, bytes);
    const std::chrono::nanoseconds left = timeout_ - (std::chrono::steady_clock::now() - start_);
    if (left <= std::chrono::nanoseconds(0)) throw timed_out(call, done, bytes);
    if (crowded) {
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(1)));
      return;
    }
    const auto turn = std::min<std::chrono::nanoseconds>(left, std::chrono::minutes(1));
    pollfd entry{fd_, event, 0};
    ::poll(&entry, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(turn).count()));
  }

  Error no_socket(std::error_code error) const {
    return {errc::invalid_argument, error,
            context_ + "descriptor " + std::to_string(fd_) + " is not a Unix domain socket"};
  }

  Error timed_out(std::string_view call, std::size_t done, std::size_t bytes) const {
    const std::string limit = format_seconds(std::chrono::duration<double>(timeout_).count());
    if (done == 0)
      return {errc::timed_out, context_ + "the socket was not ready to " + std::string(call) + " within " + limit};
    return {errc::timed_out,
            context_ + "the message stopped after " + std::to_string(done) + " of " + std::to_string(bytes) +
                " bytes, and did not go on within " + limit,
            "close the socket: what comes next would not be understood"};
  }

  Error refused_by_socket(std::string_view call, int error, std::size_t bytes) const {
    const std::error_code code = error_of(error);
    switch (error) {
      case EPIPE:
      case ECONNRESET:
      case ECONNREFUSED:
        return {errc::not_found, code, context_ + "the other side has closed the socket"};
      case ENOTCONN:
      case EDESTADDRREQ:
      case EINVAL:
        return {errc::invalid_argument, code, context_ + "descriptor " + std::to_string(fd_) + " is not connected"};
      case EMSGSIZE:
        return {errc::invalid_argument, code, context_ + "a message of " + format_bytes(bytes),
                "raise the socket's SO_SNDBUF, or use one of type SOCK_STREAM"};
      default:
        return refused(code, context_, call);
    }
  }

  int fd_;
  std::chrono::nanoseconds timeout_;
  Context context_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool is_stream_ = false;
  bool has_end_ = false;
  bool lost_ = false;
  std::size_t descriptors_ = 0;
  Descriptor first_;
};

}  // namespace unix_only

}  // namespace ndshm::detail::os
