// What lib/cuda's kernels need of CUDA C++, for a host compiler. host.cpp runs a block on one thread
// of the host, its threads one after the other from barrier to barrier; threads.cpp on one each.
// Included before a kernel file.
#pragma once

#include <math.h>
#include <string.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#define HOST
#define __global__
#define __device__
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
// In a section of its own, so that it can be filled with NaN before a block runs.
#define __shared__ static __attribute__((section("device_shared")))

struct Index {
  unsigned int x, y, z;
};

#ifdef PER_THREAD  // threads.cpp, which can leave a barrier out
void barrier(const char* file, int line);
#define __syncthreads() barrier(__FILE__, __LINE__)
#else
#define PER_THREAD
void __syncthreads();
#endif

extern PER_THREAD Index threadIdx, blockIdx;
extern Index blockDim, gridDim;

struct alignas(16) float4 {
  float x, y, z, w;
};

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline float __int_as_float(int bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

inline int __float_as_int(float f) {
  int bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

inline double __longlong_as_double(long long bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

inline int max(int a, int b) { return a > b ? a : b; }

inline int atomicMax(int* at, int value) {
  int before = __atomic_load_n(at, __ATOMIC_SEQ_CST);
  while (value > before &&
         !__atomic_compare_exchange_n(
             at, &before, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return before;
}

inline unsigned int atomicInc(unsigned int* at, unsigned int largest) {
  unsigned int before = *at;
  *at = before >= largest ? 0 : before + 1;
  return before;
}

inline void __threadfence() {}

// Rounded each for itself: the host's compiler would fuse what follows.
inline float __fmul_rn(float a, float b) {
  volatile float product = a * b;
  return product;
}

inline float __fadd_rn(float a, float b) { return a + b; }

inline float __fsub_rn(float a, float b) { return a - b; }

inline double __dmul_rn(double a, double b) {
  volatile double product = a * b;
  return product;
}

inline double __dadd_rn(double a, double b) { return a + b; }

inline int __popc(unsigned int x) { return __builtin_popcount(x); }

// What lib/cuda/tensor.cuh has for a card. multiplyTf32 is called by all threads of a block.
inline float roundToTf32(float x) {
  return __int_as_float((__float_as_int(x) + 0x1000) & ~0x1fff);
}

void multiplyTf32(const float (&a)[4], const float (&b)[2], float (&c)[4]);

// Every thread lays its part of a and b down where the PTX manual says (m16n8k8, tf32), and when
// all of its warp have, takes what its part of c needs.
template <class Wait>
void addProduct(const float (&a)[4], const float (&b)[2], float (&c)[4], Wait waitForWarp) {
  static float as[32][16][8], bs[32][8][8];
  int warp = threadIdx.x / 32;
  int g = threadIdx.x % 32 / 4;
  int t = threadIdx.x % 4;
  as[warp][g][t] = a[0];
  as[warp][g + 8][t] = a[1];
  as[warp][g][t + 4] = a[2];
  as[warp][g + 8][t + 4] = a[3];
  bs[warp][t][g] = b[0];
  bs[warp][t + 4][g] = b[1];
  waitForWarp();
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 8; k++) c[i] += as[warp][g + i / 2 * 8][k] * bs[warp][k][2 * t + i % 2];
  }
  waitForWarp();
}

// ---- kernels by name, called with arguments whose types were checked

struct Arguments {
  const char* types;  // l: pointer or 64 bits, i: 32 bits, f: float, s: a struct's address
  const uint64_t* values;
  char* error;  // 256 characters
};

void wrongArgument(const Arguments& a, int index);

template <class T>
constexpr char typeOf() {
  if (std::is_class<T>::value) return 's';
  if (std::is_pointer<T>::value || (std::is_integral<T>::value && sizeof(T) == 8)) return 'l';
  if (std::is_integral<T>::value && sizeof(T) == 4) return 'i';
  return 'f';
}

template <class T>
T argument(const Arguments& a, int index) {
  T value;
  bool pointed = typeOf<T>() == 's';
  memcpy(&value, pointed ? (const void*)a.values[index] : &a.values[index], sizeof value);
  return value;
}

// Calls k, or with run false only checks the types.
template <class... A, size_t... I>
bool call(void (*k)(A...), const Arguments& a, bool run, std::index_sequence<I...>) {
  if (run) {
    k(argument<A>(a, I)...);
    return true;
  }
  const char expected[] = {typeOf<A>()..., 0};
  if (strcmp(expected, a.types) == 0) return true;
  size_t i = 0;
  while (a.types[i] == expected[i]) i++;
  wrongArgument(a, (int)i);
  return false;
}

template <class... A>
bool call(void (*k)(A...), const Arguments& a, bool run) {
  return call(k, a, run, std::index_sequence_for<A...>{});
}

typedef bool (*Entry)(const Arguments& a, bool run);

struct Registered {
  Registered(const char* name, Entry entry);
};

#define KERNEL(name)                  \
  static const Registered name##Entry( \
      #name, [](const Arguments& a, bool run) { return call(name, a, run); });
