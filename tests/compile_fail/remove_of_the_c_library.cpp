// expect: is ambiguous
// or: ambiguous
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <ndshm/ndshm.hpp>

using namespace ndshm;
int main() { remove("weights"); }
