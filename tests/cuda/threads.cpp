// Runs recorded launches of kernels again, each thread of a block as a thread of the host, so that a
// sanitizer sees races and wrong addresses as they would be on a card. Blocks run one after the
// other. Compiled with -DPER_THREAD=thread_local and -fsanitize; the launches are in a file that
// slimvox.backend.cuda.RecordedLaunches has written. What they write must be the recorded bytes.
// Arguments: that file; or also a kernel, the only one to run, and file and line of a barrier of
// lib/cuda to run it without.
#include "host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

thread_local Index threadIdx, blockIdx;
Index blockDim, gridDim;

namespace {
const int WARP = 32;
const int MOST_WARPS = 32;

pthread_barrier_t ofBlock, ofWarp[MOST_WARPS];
Entry kernel;
Arguments arguments;

std::map<std::string, Entry>& kernels() {
  static std::map<std::string, Entry> all;
  return all;
}

void* thread(void* number) {
  unsigned t = (unsigned)(uintptr_t)number;
  threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
  for (unsigned b = 0; b < gridDim.x * gridDim.y * gridDim.z; b++) {
    blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
    kernel(arguments, true);
    pthread_barrier_wait(&ofBlock);
  }
  return 0;
}

void launch() {
  unsigned count = blockDim.x * blockDim.y * blockDim.z;
  pthread_barrier_init(&ofBlock, 0, count);
  for (unsigned w = 0; w < count / WARP; w++) pthread_barrier_init(&ofWarp[w], 0, WARP);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 256 << 10);
  std::vector<pthread_t> threads(count);
  for (unsigned t = 0; t < count; t++) {
    if (pthread_create(&threads[t], &small, thread, (void*)(uintptr_t)t)) abort();
  }
  for (pthread_t t : threads) pthread_join(t, 0);
}

std::string leftOutFile;
int leftOutLine;  // 0: none

FILE* file;

bool next(int64_t& value) { return fread(&value, sizeof value, 1, file) == 1; }

int64_t next() {
  int64_t value;
  if (!next(value)) abort();
  return value;
}

std::string bytes(int64_t count) {
  std::string all(count, 0);
  if (fread(&all[0], 1, count, file) != (size_t)count) abort();
  return all;
}

// Memory of its exact size, so that the sanitizer knows where it ends.
struct Buffer {
  char* at;
  std::string expected;
};

// Bits, or NaN where NaN is expected: whose it is depends on the compiler.
bool same(const Buffer& b) {
  for (size_t i = 0; i + 4 <= b.expected.size(); i += 4) {
    float x, y;
    memcpy(&x, b.at + i, 4);
    memcpy(&y, &b.expected[i], 4);
    if (memcmp(&x, &y, 4) && !(x != x && y != y)) return false;
  }
  return true;
}
}  // namespace

void barrier(const char* file, int line) {
  const char* end = strrchr(file, '/');
  if (line != leftOutLine || leftOutFile != (end ? end + 1 : file)) pthread_barrier_wait(&ofBlock);
}

void multiplyTf32(const float (&a)[4], const float (&b)[2], float (&c)[4]) {
  int warp = threadIdx.x / WARP;
  addProduct(a, b, c, [=] { pthread_barrier_wait(&ofWarp[warp]); });
}

Registered::Registered(const char* name, Entry entry) { kernels()[name] = entry; }

void wrongArgument(const Arguments&, int) { abort(); }

int main(int count, char** names) {
  file = fopen(names[1], "rb");
  if (count > 2) {
    leftOutFile = names[3];
    leftOutLine = atoi(names[4]);
    alarm(30);  // its threads may wait for one another for ever, which is wrong as well
  }
  int failed = 0;
  for (int64_t length; next(length);) {
    std::string name = bytes(length);
    kernel = kernels().at(name);
    unsigned sizes[6];
    for (unsigned& size : sizes) size = (unsigned)next();
    gridDim = {sizes[0], sizes[1], sizes[2]};
    blockDim = {sizes[3], sizes[4], sizes[5]};
    std::string types = bytes(next());
    std::vector<uint64_t> values;
    for (size_t i = 0; i < types.size(); i++) values.push_back(next());
    std::vector<Buffer> buffers(next());
    for (Buffer& b : buffers) {
      std::string before = bytes(next());
      b.expected = bytes(next());
      void* at;
      if (posix_memalign(&at, 64, before.size())) abort();
      b.at = (char*)memcpy(at, before.data(), before.size());
    }
    for (int64_t pointers = next(); pointers > 0; pointers--) {
      int64_t in = next(), place = next(), to = next();
      uint64_t address = (uint64_t)buffers[to].at + next();
      if (in < 0) {
        values[place] = address;
      } else {
        memcpy(buffers[in].at + place, &address, sizeof address);
      }
    }
    arguments = {types.c_str(), values.data(), 0};
    bool runs = count == 2 || name == names[2];
    if (runs) launch();
    for (Buffer& b : buffers) {
      if (runs && !same(b)) failed = printf("%s: not the recorded bytes\n", name.c_str());
      free(b.at);
    }
  }
  return failed ? 1 : 0;
}
