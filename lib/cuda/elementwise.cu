// Elementwise operations, one pass over memory. CPU twin: slimvox.backend.cpu.Elementwise.
//
//   fill          x = value                     add_scaled    y += alpha x
//   relu          y = x < 0 ? 0 : x             tanh_forward  y = tanh x
//   relu_backward dx = y > 0 ? dy : 0           tanh_backward dx = dy (1 - y^2)
//   not_finite    flag = 1 if an x is NaN or infinite
//   add_to_rows   each row of y += b            sum_rows      b (+)= sum of the rows of y
//
// Launch: 256 threads a block; a thread takes four neighbours, as one 16-byte load and store, so
// that a few warps keep the memory busy. Arguments may be the same buffer where Device says so.
#include "common.cuh"

extern "C" __global__ void fill_words(unsigned int word, unsigned int* x, long long n) {
  long long i = firstOfFour();
  for (int j = 0; j < 4; j++) {
    if (i + j < n) x[i + j] = word;
  }
}

extern "C" __global__ void fill_bytes(int value, unsigned char* x, long long n) {
  long long i = firstOfFour();
  for (int j = 0; j < 4; j++) {
    if (i + j < n) x[i + j] = (unsigned char)value;
  }
}

extern "C" __global__ void add_scaled(float alpha, const float* x, float* y, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(x, i, n);
  float4 b = load4(y, i, n);
  b = make_float4(
      fmaf(alpha, a.x, b.x), fmaf(alpha, a.y, b.y), fmaf(alpha, a.z, b.z), fmaf(alpha, a.w, b.w));
  store4(y, i, n, b);
}

// A NaN stays one, so that it is found.
__device__ inline float positive(float x) { return x < 0 ? 0 : x; }

extern "C" __global__ void relu(const float* x, float* y, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(x, i, n);
  store4(y, i, n, make_float4(positive(a.x), positive(a.y), positive(a.z), positive(a.w)));
}

extern "C" __global__ void relu_backward(
    const float* y, const float* dy, float* dx, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(y, i, n);
  float4 d = load4(dy, i, n);
  d = make_float4(
      a.x > 0 ? d.x : 0, a.y > 0 ? d.y : 0, a.z > 0 ? d.z : 0, a.w > 0 ? d.w : 0);
  store4(dx, i, n, d);
}

extern "C" __global__ void tanh_forward(const float* x, float* y, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(x, i, n);
  store4(y, i, n, make_float4(tanhf(a.x), tanhf(a.y), tanhf(a.z), tanhf(a.w)));
}

__device__ inline float tanhSlope(float y, float dy) { return fmaf(-y, y, 1.0f) * dy; }

extern "C" __global__ void tanh_backward(
    const float* y, const float* dy, float* dx, long long n) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(y, i, n);
  float4 d = load4(dy, i, n);
  d = make_float4(
      tanhSlope(a.x, d.x), tanhSlope(a.y, d.y), tanhSlope(a.z, d.z), tanhSlope(a.w, d.w));
  store4(dx, i, n, d);
}

// 0 x is 0 for a finite x and NaN otherwise. All who write the flag write the same.
extern "C" __global__ void not_finite(const float* x, long long n, int* flag) {
  long long i = firstOfFour();
  if (i >= n) return;
  float4 a = load4(x, i, n);
  float zero = 0 * a.x + 0 * a.y + 0 * a.z + 0 * a.w;
  if (zero != 0) *flag = 1;  // NaN differs from everything
}

// ---- a matrix and a row

extern "C" __global__ void add_to_rows(
    const float* b, float* y, long long rows, int columns, int rowsPerBlock) {
  int c = column();
  if (c >= columns) return;
  float add = b[c];
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) y[r * columns + c] += add;
}

// Blocks of 32 columns x 32 rows; each thread sums its column's rows in float64, then the 32 of a
// column are added in a tree.
extern "C" __global__ void sum_rows(
    const float* y, float* b, long long rows, int columns, int accumulate) {
  __shared__ double sums[32][32];
  int c = blockIdx.x * 32 + threadIdx.x;
  double sum = 0;
  if (c < columns) {
    for (long long r = threadIdx.y; r < rows; r += 32) sum += y[r * columns + c];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  for (int half = 16; half > 0; half /= 2) {
    if (threadIdx.y < half) sums[threadIdx.y][threadIdx.x] += sums[threadIdx.y + half][threadIdx.x];
    __syncthreads();
  }
  if (threadIdx.y == 0 && c < columns) {
    double before = accumulate ? b[c] : 0;
    b[c] = (float)(before + sums[0][threadIdx.x]);
  }
}
