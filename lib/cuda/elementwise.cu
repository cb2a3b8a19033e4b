// Elementwise operations, one pass over memory; a matrix and a row. CPU twins:
// slimvox.backend.cpu.kernels.CpuElementwise and CpuMatrices.
//
//   relu          y = x < 0 ? 0 : x             tanh_forward  y = tanh x
//   relu_backward dx = y > 0 ? dy : 0           tanh_backward dx = dy (1 - y^2)
//   gelu          y = x s(x)                    gelu_backward dx = dy (s(x) + x s'(x))
//   add_scaled    y += alpha x
//   not_finite    flag = 1 if an x is NaN or infinite
//   add_rounded   y += scale round(x / step), largest = bits of the largest |y| if asked for
//   add_to_rows   each row of y += b            column_sums   b (+)= sum of the rows of y
//
// Launch: 256 threads a block; a thread takes four neighbours, as one 16-byte load and store, so
// that a few warps keep the memory busy. Arguments may be the same buffer where Device says so.
#include "common.cuh"

extern "C" __global__ void add_scaled(float alpha, const float* x, float* y, long long n) {
  four(x, y, y, n, [=](float x, float y) { return fmaf(alpha, x, y); });
}

// Rounds to the nearest whole number, ties to even; inverse is 1 / step and scale is step or -step,
// powers of two, so the product is exact. The largest of integers is the same in any order.
extern "C" __global__ void __launch_bounds__(256) add_rounded(
    float scale, float inverse, const float* x, float* y, long long n, int* largest) {
  __shared__ int sizes[256];
  int size = 0;
  four(x, y, y, n, [&](float x, float y) {
    float sum = fmaf(rintf(x * inverse), scale, y);
    size = max(size, sizeOf(sum));
    return sum;
  });
  size = largestOfBlock(size, sizes);
  if (threadIdx.x == 0 && largest) atomicMax(largest, size);
}

extern "C" __global__ void relu(const float* x, float* y, long long n) {
  four(x, y, n, [](float x) { return rectified(x); });
}

extern "C" __global__ void relu_backward(const float* y, const float* dy, float* dx, long long n) {
  four(y, dy, dx, n, [](float y, float dy) { return y > 0 ? dy : 0; });
}

extern "C" __global__ void tanh_forward(const float* x, float* y, long long n) {
  four(x, y, n, [](float x) { return tanhf(x); });
}

extern "C" __global__ void tanh_backward(const float* y, const float* dy, float* dx, long long n) {
  four(y, dy, dx, n, [](float y, float dy) { return fmaf(-y, y, 1.0f) * dy; });
}

// s(x) = 1 / (1 + e^(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
__device__ inline float exponential(float x) {
  return expf(x * fmaf(x * x, -0.0713548163f, -1.59576912f));
}

extern "C" __global__ void gelu(const float* x, float* y, long long n) {
  four(x, y, n, [](float x) { return x / (1 + exponential(x)); });
}

// 1 - s = s e^(-2 u). Beyond 10 the slope is 1 or 0; its factors could be infinity times 0.
extern "C" __global__ void gelu_backward(const float* x, const float* dy, float* dx, long long n) {
  four(x, dy, dx, n, [](float x, float dy) {
    float z = x > 10 ? 10 : x < -10 ? -10 : x;
    float e = exponential(z);
    float s = 1 / (1 + e);
    return fmaf(z * s * (s * e), fmaf(z * z, 0.214064449f, 1.59576912f), s) * dy;
  });
}

// 0 x is 0 for a finite x and NaN otherwise.
extern "C" __global__ void not_finite(const __grid_constant__ Tensors x_flag) {
  Part part(x_flag);
  long long i = part.firstOfFour();
  if (i >= part.size()) return;
  float v[4];
  load4(part.at(0), i, part.size(), v);
  float zero = 0;
  for (int j = 0; j < 4; j++) zero += 0 * v[j];
  if (zero != 0) atomicMax(part.at<int>(1), 1);  // NaN differs from everything
}

// ---- a matrix and a row

extern "C" __global__ void add_to_rows(
    const float* b, float* y, long long rows, int columns, int rowsPerBlock) {
  forEach(rows, columns, rowsPerBlock, b, [=](long long r, int c, float add) {
    y[r * columns + c] += add;
  });
}

// A block sums a stretch of rows (a chunk) in float32, a thread some rows and then a tree over the
// threads; the last block of a group of columns adds the chunks in order, in float64.
extern "C" __global__ void __launch_bounds__(256) column_sums(
    const float* y, float* partial, long long rows, int columns, int rowsPerChunk,
    unsigned int* arrived, float* b, int accumulate) {
  __shared__ ColumnSum shared;
  int c = column();
  float sum = 0;
  if (c < columns) {
    long long end = endRow(rowsPerChunk, rows);
#pragma unroll 4
    for (long long r = firstRow(rowsPerChunk); r < end; r += blockDim.y) sum += y[r * columns + c];
  }
  shared.finish(sum, partial, arrived, columns, b, accumulate);
}
