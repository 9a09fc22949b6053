// SPDX-License-Identifier: BSL-1.0
// main.cpp: runs the tests. Ends with 77, which is how ctest is told of a skipped test, when every test case that ran
// was skipped; fails when a case asserted nothing without a reason, or when none ran at all.
#define CATCH_CONFIG_RUNNER
#include "catch.hpp"

#include <iostream>

namespace {

#if CATCH_VERSION_MAJOR >= 3
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

constexpr int skipped_code = 77;

struct Count {
  int cases = 0;
  int skipped = 0;
  int empty = 0;
  bool complete = false;
};
Count count;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): Catch2 makes its listeners itself

const Catch::TestCaseInfo& info_of(const Catch::TestCaseStats& stats) {
#if CATCH_VERSION_MAJOR >= 3
  return *stats.testInfo;
#else
  return stats.testInfo;
#endif
}

class Counter : public Listener {
 public:
  using Listener::Listener;

  void testCaseStarting(const Catch::TestCaseInfo&) override { reason_to_skip().clear(); }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    ++count.cases;
    const auto& name = info_of(stats).name;
    if (!reason_to_skip().empty()) {
      ++count.skipped;
      std::cout << "skipped: " << name << ": " << reason_to_skip() << std::endl;
    } else if (stats.totals.assertions.total() == 0) {
      ++count.empty;
      std::cout << "failed: " << name << ": nothing was asserted" << std::endl;
    }
  }

  void testRunEnded(const Catch::TestRunStats&) override { count.complete = true; }
};

CATCH_REGISTER_LISTENER(Counter)

}  // namespace

int main(int argc, char** argv) {
  const int failed = Catch::Session().run(argc, argv);
  if (failed != 0) return failed == skipped_code ? 1 : failed;
  if (!count.complete) return 0;  // it was asked for its list of tests, or the like
  if (count.cases == 0) std::cout << "failed: no test case ran" << std::endl;
  if (count.cases == 0 || count.empty > 0) return 1;
  return count.skipped == count.cases ? skipped_code : 0;
}
