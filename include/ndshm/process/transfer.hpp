// SPDX-License-Identifier: BSL-1.0
// transfer.hpp: arrays sent to another process over a Unix domain socket: send(), receive(), receive_handle(). The way
// for an array without a name to reach a process that did not inherit it. Includes array/.
#pragma once

#include <chrono>
#include <cstddef>
#include <ndshm/array/attach.hpp>
#include <ndshm/array/shared_array.hpp>
#include <ndshm/core/context.hpp>
#include <ndshm/core/error.hpp>
#include <ndshm/core/options.hpp>
#include <ndshm/core/text.hpp>
#include <ndshm/format/handle.hpp>
#include <ndshm/format/message.hpp>
#include <ndshm/format/place.hpp>
#include <ndshm/platform/platform.hpp>
#include <ndshm/segment/attach.hpp>
#include <ndshm/segment/resolve.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ndshm::inline NDSHM_ABI_NAMESPACE {

/// How long send(), receive() and receive_handle() wait.
struct TransferOptions {
  /// How long to wait in all: for the other side to send, or to make room. Zero and less: not at all.
  Timeout timeout = std::chrono::seconds(10);
};

namespace detail {

/// The text of the next message.
inline std::string receive_text(os::Socket& socket, Context context) {
  std::string bytes =
      socket.receive(socket.is_stream() ? message_prefix_bytes : message_prefix_bytes + max_message_text + 1);
  if (bytes.empty() && socket.has_end()) {
    throw Error(errc::not_found, context + "the other side has closed the socket; there is no further message");
  }
  const std::size_t length = text_bytes(bytes, context);
  if (socket.is_stream()) bytes += socket.receive(length);
  const std::size_t got = bytes.size() - message_prefix_bytes;
  if (got != length) {
    throw Error(errc::invalid_handle, context + "the message announces a text of " + std::to_string(length) +
                                          " bytes and has " + (got > length ? "more" : std::to_string(got)));
  }
  return bytes.substr(message_prefix_bytes);
}

/// An anonymous array has to come with its descriptor, one with a name without any.
inline void require_descriptors(const Handle& handle, const os::Socket& socket, Context context) {
  if (socket.has_lost_descriptors()) {
    throw Error(errc::system_error, context + "this process could not be given all descriptors of the message",
                "raise the limit of open files (ulimit -n)");
  }
  const std::size_t expected = handle.is_named() ? 0 : 1;
  if (socket.descriptors() != expected) {
    throw Error(errc::invalid_handle, context + ("the message came with " + std::to_string(socket.descriptors()) +
                                                 " descriptors, its handle takes " + std::to_string(expected)));
  }
  if (expected == 0) return;
  const auto* const place = std::get_if<MessagePlace>(&handle.place());
  if (place == nullptr || place->index != 0) {
    throw Error(errc::invalid_handle,
                context + "the handle does not refer to the descriptor of its message as message=0");
  }
}

/// The descriptor to send for an anonymous array: what the handle means, with no more access than it grants.
inline os::Object object_to_send(const Handle& handle, Context context) {
  os::Object object = resolve_object(handle, context);
  if (handle.is_read_only() && object.is_writable()) {
    throw Error(errc::unsupported, context + "the portable path has no read-only descriptors",
                "give the array a name, or send a handle that grants write access");
  }
  return object;
}

}  // namespace detail

/// Sends an array, or a view of one, to the process at the other end of a connected Unix domain socket (SOCK_STREAM,
/// SOCK_SEQPACKET or SOCK_DGRAM), which takes it with receive() or receive_handle(). An anonymous array goes with a
/// descriptor, which keeps its memory until it is received, whatever becomes of this process; of a named one goes the
/// name alone, so that a process has to keep it attached until then. A handle that grants reading only is sent with a
/// descriptor that cannot be written through; a process of the same user could still open it anew through /proc, unless
/// the array is frozen. Raises no SIGPIPE. Two threads must not send over one stream at the same time.
///
/// Throws: errc::timed_out if the time-out ran out, errc::not_found if the other side has closed the socket or the
/// array no longer exists, errc::stale_handle if another segment has replaced it, errc::read_only if the handle grants
/// writing to an array that has been frozen, errc::unsupported if the handle of an anonymous array is read-only on the
/// portable path, errc::invalid_argument if the socket is not a connected Unix domain socket. After an error in the
/// middle of a message, close a stream.
inline void send(int socket, const Handle& handle, const TransferOptions& options = {}) {
  const detail::Context context("send", handle.name());
  detail::os::Socket to(socket, options.timeout, context);
  if (handle.is_named()) return to.send(detail::message_of(handle.to_string(), context), -1);
  const detail::os::Object object = detail::object_to_send(handle, context);
  to.send(detail::message_of(handle.at(MessagePlace{}).to_string(), context), object.descriptor());
}

/// What a message brought, before anything is mapped: for a receiver that does not know the elements and dimensions in
/// advance. Owns the descriptor of an anonymous array, and closes it; arrays that were attached stay.
class ReceivedHandle {
 public:
  /// Returns the handle that was sent. That of an anonymous array refers to the descriptor that this object owns.
  const Handle& handle() const noexcept { return handle_; }

  /// Returns the array. Can be called again. Throws: what ndshm::attach() throws.
  template <class T, std::size_t N, layout L = layout::row_major>
  SharedArray<T, N, L> attach(const AttachOptions& options = {}) const {
    if (!descriptor_) return ndshm::attach<T, N, L>(handle_, options);
    // Always by what came: the text alone could name any array, and a sender has no more rights than it gave away.
    return detail::attach_by<T, N, L>(handle_, detail::Context("attach"), [&](detail::Context context) {
      const DescriptorPlace place{descriptor_.get()};
      auto segment = detail::attach_segment(detail::open_place(place, detail::access_for<T>, context), context);
      detail::require_meant(*segment, handle_, context);
      return segment;
    });
  }

 private:
  friend ReceivedHandle receive_handle(int socket, const TransferOptions& options);

  explicit ReceivedHandle(Handle handle) : handle_(std::move(handle)) {}
  ReceivedHandle(const Handle& handle, detail::os::Descriptor descriptor)
      : handle_(handle.at(ProcessPlace{detail::os::process_id(), descriptor.get()})),
        descriptor_(std::move(descriptor)) {}

  Handle handle_;
  detail::os::Descriptor descriptor_;  // none for a named array
};

/// Receives one message that send() sent. Returns its handle. Reads nothing beyond the end of the message.
///
/// Throws: errc::timed_out if the time-out ran out, errc::not_found if the other side has closed the socket and there
/// is no further message, errc::invalid_handle if the message breaks a rule of its magic, length, text or descriptors,
/// errc::system_error if this process can open no more descriptors, errc::invalid_argument if the socket is not a
/// connected Unix domain socket. No descriptor stays open after any of them. After errc::invalid_handle, and after a
/// time-out in the middle of a message, close a stream: what comes next would not be understood.
inline ReceivedHandle receive_handle(int socket, const TransferOptions& options = {}) {
  const detail::Context context("receive");
  detail::os::Socket from(socket, options.timeout, context);
  const Handle handle = Handle::parse(detail::receive_text(from, context));
  detail::require_descriptors(handle, from, context);
  if (handle.is_named()) return ReceivedHandle(handle);
  return {handle, from.take_descriptor()};
}

/// Returns the array that the other side sent, as attach<T, N>(handle) would: receive<T, N>(socket). Its own handle()
/// refers to this process, so that it can be passed on. `attach_options` are for a named array.
/// Throws: what receive_handle() and attach() throw.
template <class T, std::size_t N, layout L = layout::row_major>
SharedArray<T, N, L> receive(int socket, const TransferOptions& options = {},
                             const AttachOptions& attach_options = {}) {
  return receive_handle(socket, options).attach<T, N, L>(attach_options);
}

}  // namespace ndshm
