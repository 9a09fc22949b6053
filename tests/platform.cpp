// SPDX-License-Identifier: BSL-1.0
// platform.cpp: what is the same on every platform: what the features say and do, random UUIDs, codes of errors.
#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include "catch.hpp"

#include <ndshm/ndshm.hpp>

using ndshm::errc;
namespace os = ndshm::detail::os;

namespace {

/// Whether the call says that it is not supported.
template <class Call>
bool is_unsupported(Call call) {
  const auto error = error_of(call);
  return error && error->condition() == errc::unsupported;
}

/// The category of another copy of the library, which could not find this one's.
class OtherCategory final : public std::error_category {
 public:
  explicit OtherCategory(const char* name) : name_(name) {}
  const char* name() const noexcept override { return name_; }
  std::string message(int) const override { return {}; }

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("what a platform says that it can do is what it does") {
  const std::string name = unique_name();
  CHECK(os::has_fork<int> == (NDSHM_HAS_FORK != 0));
  CHECK(is_unsupported([] { ndshm::list(); }) == (NDSHM_HAS_LIST == 0));
  CHECK(is_unsupported([&] { ndshm::create<int>(name, {4}, {.lifetime = ndshm::Lifetime::persistent}); }) ==
        (NDSHM_HAS_PERSISTENCE == 0));
  ndshm::remove(name);
  CHECK(is_unsupported([] { ndshm::create<int>({4}).freeze(); }) == (NDSHM_HAS_FREEZE == 0));
  CHECK(is_unsupported([] { ndshm::send(-1, ndshm::create<int>({4}).handle()); }) == (NDSHM_HAS_TRANSFER == 0));
  CHECK(is_unsupported([&] {
          const auto array = ndshm::create<int>(name, {4});
          ndshm::attach<int, 1>(name, {.owner = ndshm::Owner::anyone});
        }) == (NDSHM_HAS_OTHER_USERS == 0));
  CHECK(is_unsupported([] { os::open_process_descriptor(os::process_id() + 1, 0, os::Access::read_only, {}); }) ==
        (NDSHM_HAS_PROCESS_HANDLES == 0));
}

TEST_CASE("the UUIDs of segments are random ones of version 4") {
  std::set<std::string> seen;
  unsigned always_set = 0xff;
  unsigned ever_set = 0;
  for (int i = 0; i < 64; ++i) {
    const ndshm::Uuid uuid = ndshm::detail::new_uuid(ndshm::detail::Context("test"));
    const auto* const bytes = uuid.begin();
    CHECK((bytes[6] & 0xf0U) == 0x40U);
    CHECK((bytes[8] & 0xc0U) == 0x80U);
    always_set &= bytes[15];
    ever_set |= bytes[15];
    seen.insert(std::string(uuid.begin(), uuid.end()));
  }
  CHECK(seen.size() == 64);
  CHECK(always_set == 0);  // missed once in 2^61 runs
  CHECK(ever_set == 0xff);
}

TEST_CASE("random bytes fill all that they are asked for, and no more") {
  std::array<unsigned char, 1024> bytes{};
  REQUIRE(os::random_bytes(bytes.data(), 1000));
  for (std::size_t i = 0; i < 1000; i += 100) {
    CHECK(std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                      bytes.begin() + static_cast<std::ptrdiff_t>(i) + 100,
                      [](unsigned char value) { return value != 0; }));
  }
  CHECK(std::all_of(bytes.begin() + 1000, bytes.end(), [](unsigned char value) { return value == 0; }));
}

TEST_CASE("the code of an error is known by the name of its category") {
  const auto error = error_of([] { ndshm::attach<int, 1>(unique_name()); });
  REQUIRE(error.has_value());
  CHECK(error->code() == errc::not_found);
  CHECK(error->code() != errc::damaged);
  CHECK(errc::not_found == error->code());
  const OtherCategory copy("ndshm");
  const OtherCategory stranger("stranger");
  CHECK(std::error_code(static_cast<int>(errc::not_found), copy) == errc::not_found);
  CHECK(std::error_code(static_cast<int>(errc::not_found), stranger) != errc::not_found);
}

TEST_CASE("a process knows its program") {
  const std::filesystem::path program = ndshm::this_program();
  CHECK(program.is_absolute());
  CHECK(std::filesystem::exists(program));
}
