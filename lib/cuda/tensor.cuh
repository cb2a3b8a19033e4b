// Tensor cores: products of factors rounded to TF32 (8 bits of exponent, 10 of fraction), sums in
// float32. From compute capability 8.0 on; HAS_TF32 says whether the card compiled for has it.
//
// As inline PTX, since NVIDIA's header for it needs more of CUDA than NVRTC brings along. The
// tests' host has functions of the same names (tests/cuda/host.h).

#ifdef HOST
#define HAS_TF32 1
#else
#if __CUDA_ARCH__ >= 800
#define HAS_TF32 1

// To the nearest, ties away from zero.
__device__ inline float roundToTf32(float x) {
  unsigned int bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

// c (16 x 8) += a (16 x 8) b (8 x 8), by the 32 threads of a warp. With g = lane / 4, t = lane % 4
// a thread holds a[g][t], a[g + 8][t], a[g][t + 4], a[g + 8][t + 4]; b[t][g], b[t + 4][g]; and
// c[g][2 t], c[g][2 t + 1], c[g + 8][2 t], c[g + 8][2 t + 1]. Volatile, as a compiler that moved it
// into a branch would leave lanes out.
__device__ inline void multiplyTf32(const float (&a)[4], const float (&b)[2], float (&c)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}
#else
#define HAS_TF32 0
#endif
#endif
