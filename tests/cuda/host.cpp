// Runs kernels compiled by a host compiler, see host.h.
//
// Each thread of a block is a fiber. A fiber runs until it ends or meets a barrier; when all have
// met it, they go on. Fibers switch with _setjmp and _longjmp, which take some nanoseconds. What is
// checked: argument types, that all threads meet the same barriers, that vectors of floats lie where
// a card can read them, and, by running the threads of a block in either order, that a kernel does
// not depend on it.
#include "host.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <map>
#include <string>

Index threadIdx, blockIdx, blockDim, gridDim;

extern char __start_device_shared[], __stop_device_shared[];

namespace {
const int MOST_THREADS = 1024;
const size_t STACK = 128 << 10;

enum State { READY, WAITING, DONE };

struct Fiber {
  jmp_buf at;
  ucontext_t first;
  bool started;
  State state;
  Index index;
};

Fiber fibers[MOST_THREADS];
Fiber* current;
jmp_buf scheduler;
Entry kernel;
const Arguments* arguments;
bool barriers;  // has a block met one?
const void* misaligned;

std::map<std::string, Entry>& kernels() {
  static std::map<std::string, Entry> all;
  return all;
}

void pause(State state) {
  current->state = state;
  if (!_setjmp(current->at)) _longjmp(scheduler, 1);
}

void body() {
  for (;;) {
    kernel(*arguments, true);
    pause(DONE);
  }
}

void resume(Fiber& f) {
  current = &f;
  threadIdx = f.index;
  if (_setjmp(scheduler)) return;
  if (f.started) _longjmp(f.at, 1);
  f.started = true;
  static char* stacks = (char*)mmap(
      0, STACK * MOST_THREADS, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  getcontext(&f.first);
  f.first.uc_stack.ss_sp = stacks + STACK * (&f - fibers);
  f.first.uc_stack.ss_size = STACK;
  f.first.uc_link = 0;
  makecontext(&f.first, body, 0);
  setcontext(&f.first);
}

// False if some threads wait at a barrier that others never meet.
bool runBlock(int threads, bool backwards) {
  if (barriers || (blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0)) {
    memset(__start_device_shared, 0xff, __stop_device_shared - __start_device_shared);
  }
  for (int t = 0; t < threads; t++) {
    fibers[t].state = READY;
    fibers[t].index = {
        t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
  }
  for (;;) {
    int waiting = 0;
    for (int t = 0; t < threads; t++) {
      Fiber& f = fibers[backwards ? threads - 1 - t : t];
      resume(f);
      if (f.state == WAITING) waiting++;
    }
    if (waiting == 0) return true;
    barriers = true;
    if (waiting < threads) return false;
  }
}
}  // namespace

void __syncthreads() { pause(WAITING); }

// What the compiler calls where -fsanitize=alignment finds an address that a card would refuse.
extern "C" void __ubsan_handle_type_mismatch_v1(void*, void* address) { misaligned = address; }

// The barriers are the block's: all its warps multiply equally often.
void multiplyTf32(const float (&a)[4], const float (&b)[2], float (&c)[4]) {
  addProduct(a, b, c, __syncthreads);
}

Registered::Registered(const char* name, Entry entry) { kernels()[name] = entry; }

void wrongArgument(const Arguments& a, int index) {
  snprintf(a.error, 256, "argument %d of types %s does not fit", index, a.types);
}

// Runs a kernel over a grid; grid = blocks x, y, z, threads x, y, z. Returns 0, or 1 with a message
// of up to 256 characters.
extern "C" int run_kernel(
    const char* name, const int* grid, const char* types, const uint64_t* values, int backwards,
    char* error) {
  auto found = kernels().find(name);
  if (found == kernels().end()) {
    snprintf(error, 256, "there is no such kernel");
    return 1;
  }
  kernel = found->second;
  Arguments a = {types, values, error};
  arguments = &a;
  if (!kernel(a, false)) return 1;
  gridDim = {(unsigned)grid[0], (unsigned)grid[1], (unsigned)grid[2]};
  blockDim = {(unsigned)grid[3], (unsigned)grid[4], (unsigned)grid[5]};
  int threads = grid[3] * grid[4] * grid[5];
  barriers = false;
  misaligned = 0;
  for (unsigned z = 0; z < gridDim.z; z++) {
    for (unsigned y = 0; y < gridDim.y; y++) {
      for (unsigned x = 0; x < gridDim.x; x++) {
        blockIdx = {x, y, z};
        if (!runBlock(threads, backwards)) {
          snprintf(error, 256, "block %u, %u, %u: not all threads meet a barrier", x, y, z);
          for (int t = 0; t < threads; t++) fibers[t].started = false;
          return 1;
        }
      }
    }
  }
  if (misaligned == 0) return 0;
  snprintf(error, 256, "address %p is not aligned", misaligned);
  return 1;
}
