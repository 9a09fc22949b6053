// expect: ndshm: a pointer cannot be shared
// SPDX-License-Identifier: BSL-1.0
#include <ndshm/ndshm.hpp>

struct Node {
  int value;
  Node* next;
};
NDSHM_STRUCT(Node, value, next)

auto array = ndshm::create<Node>({4});
