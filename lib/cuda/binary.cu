// Weights to signs, and activations with a parameter for each channel. CPU twins:
// slimvox.backend.cpu.kernels.BinaryFilters and CpuBinary.
//
//   binarize_filters          alpha = mean |W| of a filter; binary = alpha sign(W) or sign(W)
//   binarize_filters_backward dW from the gradient D of alpha sign(W), see BinaryGradient
//   sign_activation           y = sign(x + shift), with a border of +1
//   sign_activation_backward  dx = dy max(0, 2 - 2 |x + shift|), without the border
//   scale_rows                y = y scale
//   prelu                     z = x + shift; y = z > 0 ? z : slope z
//   prelu_backward            dx = z > 0 ? dy : slope dy; dslope = sum of dy z where z <= 0
//
// sign(0) = sign(-0) = 1, NaN stays NaN. Launch: a block of 256 threads a filter; else columns x
// rows, see common.cuh. Sums of columns are as in column_sums.
#include "common.cuh"

#define THREADS 256

// scale sign(x); NaN for NaN, so that it is found.
__device__ inline float signedAs(float x, float scale) {
  return x >= 0 ? scale : x < 0 ? -scale : x;
}

extern "C" __global__ void __launch_bounds__(THREADS) binarize_filters(
    const float* weight, int scaled, float* alpha, float* binary, int size) {
  __shared__ double scratch[THREADS];
  long long first = (long long)blockIdx.x * size;
  double sum = 0;
  for (int i = threadIdx.x; i < size; i += THREADS) sum += fabsf(weight[first + i]);
  float scale = (float)(sumOfBlock(sum, scratch) / size);
  if (threadIdx.x == 0) alpha[blockIdx.x] = scale;
  for (int i = threadIdx.x; i < size; i += THREADS) {
    binary[first + i] = signedAs(weight[first + i], scaled ? scale : 1);
  }
}

// dW = D (everywhere + scale r) + ofScale sign(W), r = 1 where |W| <= 1; ofScale is the mean of D
// sign(W) if exact, else 0. dweight may be dbinary: all have read for the mean before one writes.
extern "C" __global__ void __launch_bounds__(THREADS) binarize_filters_backward(
    const float* weight, const float* alpha, int unitScale, float everywhere, int exact,
    const float* dbinary, float* dweight, int accumulate, int size) {
  __shared__ double scratch[THREADS];
  long long first = (long long)blockIdx.x * size;
  float ofScale = 0;
  if (exact) {
    double sum = 0;
    for (int i = threadIdx.x; i < size; i += THREADS) {
      sum += (double)dbinary[first + i] * signedAs(weight[first + i], 1);
    }
    ofScale = (float)(sumOfBlock(sum, scratch) / size);
  }
  float scale = unitScale ? 1 : alpha[blockIdx.x];
  for (int i = threadIdx.x; i < size; i += THREADS) {
    float w = weight[first + i];
    float before = accumulate ? dweight[first + i] : 0;
    float factor = fabsf(w) <= 1 ? everywhere + scale : everywhere;
    dweight[first + i] = dbinary[first + i] * factor + signedAs(w, ofScale) + before;
  }
}

// ---- sign; shift may be null

// Rows are pixels of the padded side.
extern "C" __global__ void sign_activation(
    const float* x, const float* shift, float* y, int rows, int height, int width, int border,
    int channels, int rowsPerBlock) {
  forEach(rows, channels, rowsPerBlock, shift, [=](int r, int c, float add) {
    Pixel to = pixelOf(r, height + 2 * border, width + 2 * border);
    int h = to.h - border;
    int w = to.w - border;
    float sign = 1;
    if (h >= 0 && h < height && w >= 0 && w < width) {
      sign = signedAs(x[to.at(h, w, height, width) * channels + c] + add, 1);
    }
    y[(long long)r * channels + c] = sign;
  });
}

// Rows are pixels of x.
extern "C" __global__ void sign_activation_backward(
    const float* x, const float* shift, const float* dy, float* dx, int rows, int height, int width,
    int border, int channels, int rowsPerBlock) {
  forEach(rows, channels, rowsPerBlock, shift, [=](int r, int c, float add) {
    Pixel to = pixelOf(r, height, width);
    long long padded =
        to.at(to.h + border, to.w + border, height + 2 * border, width + 2 * border);
    long long at = (long long)r * channels + c;
    float slope = 2 - 2 * fabsf(x[at] + add);
    dx[at] = (slope < 0 ? 0 : slope) * dy[padded * channels + c];
  });
}

// ---- a matrix and a row

extern "C" __global__ void scale_rows(
    const float* scale, float* y, long long rows, int columns, int rowsPerBlock) {
  forEach(rows, columns, rowsPerBlock, scale, [=](long long r, int c, float factor) {
    y[r * columns + c] *= factor;
  });
}

extern "C" __global__ void prelu(
    const float* x, const float* shift, const float* slope, float* y, long long rows, int columns,
    int rowsPerBlock) {
  forEach(rows, columns, rowsPerBlock, shift, [=](long long r, int c, float add) {
    float z = x[r * columns + c] + add;
    y[r * columns + c] = z > 0 ? z : z * slope[c];
  });
}

// dslope (+)= sum of dy z where z <= 0. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS) prelu_backward(
    const float* x, const float* shift, const float* slope, const float* dy, float* dx,
    float* partial, long long rows, int columns, int rowsPerChunk, unsigned int* arrived,
    float* dslope, int accumulate) {
  __shared__ ColumnSum shared;
  int c = column();
  float sum = 0;
  if (c < columns) {
    float add = shift ? shift[c] : 0;
    float bend = slope[c];
    long long end = endRow(rowsPerChunk, rows);
    for (long long r = firstRow(rowsPerChunk); r < end; r += blockDim.y) {
      long long at = r * columns + c;
      float z = x[at] + add;
      float g = dy[at];
      dx[at] = z > 0 ? g : g * bend;
      sum += g * (z > 0 ? 0 : z);
    }
  }
  shared.finish(sum, partial, arrived, columns, dslope, accumulate);
}
