// Batch normalization of R rows of C channels, with the shortcut's addition and the ReLU that
// follow it in a ResNet. CPU twin: slimvox.backend.cpu.kernels.CpuNormalization.
//
//   statistics  mean, inverse = 1 / sqrt(variance + epsilon)         reads x once
//   forward     y = act(gamma inverse (x - mean) + beta + residual)  reads x, residual; writes y
//   backward    g = dy where y > 0
//               dbeta = sum g, dgamma = inverse sum g (x - mean)     reads x, y, dy
//               dx = gamma inverse (g - dbeta / R - inverse (x - mean) dgamma / R)
//                                                                    reads the same; writes dx
//
// Sums over rows: a block sums a stretch of rows (a chunk) of up to 32 channels, each thread some
// rows and then a tree over the threads; the last block of these channels adds the chunks in order,
// in float64. The chunks depend on R only, so that the same tensor gives the same bits on every
// card. Launch: threads along x take channels, along y rows, 256 in all.
#include "common.cuh"

#define THREADS 256

// Two sums of one channel.
template <class T>
struct Pair {
  T a, b;

  __device__ inline void operator+=(const Pair& other) {
    a += other.a;
    b += other.b;
  }
};

struct Sums {
  Pair<float> rows[THREADS];
  Pair<double> chunks[THREADS];
  unsigned int place;
};

// partial[chunk][0][c], partial[chunk][1][c] = a thread's sum over the rows of its block, for those
// with threadIdx.y 0.
__device__ inline void put(const Pair<float>& sum, float* partial, int channels) {
  int c = column();
  if (threadIdx.y > 0 || c >= channels) return;
  float* to = partial + 2LL * blockIdx.x * channels + c;
  to[0] = sum.a;
  to[channels] = sum.b;
}

// ---- statistics

// A chunk's are the mean's distance from its first value, shift, and the sum of squared distances
// from the mean, which a mean far from 0 does not spoil. All chunks' are taken relative to the first
// value of all.
extern "C" __global__ void __launch_bounds__(THREADS) bn_statistics(
    const float* x, long long rows, int channels, int rowsPerChunk, float* partial,
    unsigned int* arrived, float epsilon, float* mean, float* invStd) {
  __shared__ Sums shared;
  int c = column();
  long long begin = (long long)blockIdx.x * rowsPerChunk;
  long long end = endRow(rowsPerChunk, rows);
  Pair<float> sum = {0, 0};  // of distances from the shift, of their squares
  if (c < channels) {
    float shift = x[begin * channels + c];
#pragma unroll 4
    for (long long r = begin + threadIdx.y; r < end; r += blockDim.y) {
      float d = x[r * channels + c] - shift;
      sum.a += d;
      sum.b = fmaf(d, d, sum.b);
    }
  }
  sum = sumOverRows(shared.rows, sum);
  float distance = sum.a / (float)(end - begin);
  float squared = sum.b - sum.a * distance;
  put({distance, squared < 0 ? 0 : squared}, partial, channels);  // a NaN stays one
  if (!isLastBlock(arrived, shared.place)) return;
  const volatile float* all = partial;
  Pair<double> total = sumOverChunks(shared.chunks, channels, [=](int chunk, int c) {
    long long first = (long long)chunk * rowsPerChunk;
    long long left = rows - first;
    double count = (double)(left < rowsPerChunk ? left : rowsPerChunk);
    const volatile float* from = all + 2LL * chunk * channels + c;
    double d = (double)x[first * channels + c] - x[c] + from[0];
    return Pair<double>{count * d, count * d * d + from[channels]};
  });
  if (threadIdx.y > 0 || c >= channels) return;
  double d = total.a / rows;
  double variance = total.b / rows - d * d;
  mean[c] = (float)(x[c] + d);
  invStd[c] = (float)(1 / sqrt((variance < 0 ? 0 : variance) + epsilon));
}

// running = (1 - momentum) running + momentum batch, with the unbiased variance; one row has none.
__device__ inline void updateRunning(
    int c, const float* mean, const float* invStd, float epsilon, long long rows, float momentum,
    float* runningMean, float* runningVariance) {
  double inverse = invStd[c];
  double variance = 1 / (inverse * inverse) - epsilon;
  if (variance < 0) variance = 0;
  double unbiased = rows > 1 ? variance * rows / (rows - 1) : variance;
  double keep = 1 - (double)momentum;
  runningMean[c] = (float)(keep * runningMean[c] + (double)momentum * mean[c]);
  runningVariance[c] = (float)(keep * runningVariance[c] + momentum * unbiased);
}

extern "C" __global__ void bn_update_running(
    const float* mean, const float* invStd, float epsilon, long long rows, float momentum,
    float* runningMean, float* runningVariance, int channels) {
  int c = (int)element();
  if (c >= channels) return;
  updateRunning(c, mean, invStd, epsilon, rows, momentum, runningMean, runningVariance);
}

extern "C" __global__ void bn_inverse_deviation(
    const float* variance, float epsilon, float* invStd, int channels) {
  int c = (int)element();
  if (c < channels) invStd[c] = (float)(1 / sqrt((double)variance[c] + epsilon));
}

// ---- forward

#define NORMALIZE_PARAMETERS                                                          \
  const float *x, CHANNELS, const float *residual, int relu, float *y, long long rows, \
      int channels, int rowsPerBlock
#define NORMALIZE_ARGUMENTS \
  x, CHANNELS_ARGUMENTS, residual, relu, y, rows, channels, rowsPerBlock

// y may be x; residual may be null.
template <int V>
__device__ inline void normalize(NORMALIZE_PARAMETERS) {
  int c = V * column();
  if (c >= channels) return;
  Normalization<V> normalization;
  normalization.read(c, CHANNELS_ARGUMENTS);
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) {
    long long at = r * channels + c;
    float v[V], add[V];
    load<V>(x + at, v);
    for (int j = 0; j < V; j++) v[j] = normalization.of(j, v[j]);
    if (residual) {
      load<V>(residual + at, add);
      for (int j = 0; j < V; j++) v[j] += add[j];
    }
    for (int j = 0; j < V; j++) v[j] = relu ? rectified(v[j]) : v[j];
    store<V>(y + at, v);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) bn_normalize(NORMALIZE_PARAMETERS) {
  normalize<1>(NORMALIZE_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(THREADS) bn_normalize4(NORMALIZE_PARAMETERS) {
  normalize<4>(NORMALIZE_ARGUMENTS);
}

// ---- backward

// Sums of g and of g (x - mean). g is masked by y, or if y is null and beta is not, by y computed
// again with the rounding of normalize(); if both are null there was no ReLU. g is written to
// dresidual if that is not null, which may be dy.
//
// They give dgamma and dbeta, and for the last pass, dx = a (g + b (x - mean) + k): coefficients =
// a, b, k of each channel, 3 x C. The running statistics are moved too if they are not null.
extern "C" __global__ void __launch_bounds__(THREADS) bn_backward_sums(
    const float* x, const float* y, const float* dy, const float* mean,
    const float* invStd, const float* gamma, const float* beta, float* dresidual,
    long long rows, int channels, int rowsPerChunk, float* partial, unsigned int* arrived,
    int accumulate, float* dgamma, float* dbeta, float* coefficients, float epsilon,
    float momentum, float* runningMean, float* runningVariance) {
  __shared__ Sums shared;
  int c = column();
  Pair<float> sum = {0, 0};
  if (c < channels) {
    float m = mean[c];
    float scale = gamma[c] * invStd[c];
    float shift = beta ? beta[c] : 0;
    long long end = endRow(rowsPerChunk, rows);
#pragma unroll 4
    for (long long r = firstRow(rowsPerChunk); r < end; r += blockDim.y) {
      long long at = r * channels + c;
      float g = dy[at];
      float distance = x[at] - m;
      if (y && !(y[at] > 0)) g = 0;
      if (beta && !(fmaf(distance, scale, shift) > 0)) g = 0;
      if (dresidual) dresidual[at] = g;
      sum.a += g;
      sum.b = fmaf(g, distance, sum.b);
    }
  }
  put(sumOverRows(shared.rows, sum), partial, channels);
  if (!isLastBlock(arrived, shared.place)) return;
  const volatile float* all = partial;
  Pair<double> total = sumOverChunks(shared.chunks, channels, [=](int chunk, int c) {
    const volatile float* from = all + 2LL * chunk * channels + c;
    return Pair<double>{from[0], from[channels]};
  });
  if (threadIdx.y > 0 || c >= channels) return;
  double inverse = invStd[c];
  double g = total.a;
  double gx = total.b * inverse;
  dbeta[c] = (float)((accumulate ? dbeta[c] : 0) + g);
  dgamma[c] = (float)((accumulate ? dgamma[c] : 0) + gx);
  coefficients[c] = (float)(gamma[c] * inverse);
  coefficients[channels + c] = (float)(-inverse * gx / rows);
  coefficients[2 * channels + c] = (float)(-g / rows);
  if (!runningMean) return;
  updateRunning(c, mean, invStd, epsilon, rows, momentum, runningMean, runningVariance);
}

#define GRADIENT_PARAMETERS                                                              \
  const float *x, const float *y, const float *dy, const float *mean, const float *beta, \
      const float *coefficients, float *dx, long long rows, int channels, int rowsPerBlock
#define GRADIENT_ARGUMENTS x, y, dy, mean, beta, coefficients, dx, rows, channels, rowsPerBlock

// dx may be dy. Where y and beta are null, dy is taken as it is: no ReLU, or g was written before.
// a is gamma inverse, rounded as in normalize(), so that y is computed again to the bit.
template <int V>
__device__ inline void gradient(GRADIENT_PARAMETERS) {
  int c = V * column();
  if (c >= channels) return;
  float m[V], a[V], b[V], k[V], shift[V];
  for (int j = 0; j < V; j++) {
    m[j] = mean[c + j];
    if (beta) shift[j] = beta[c + j];
    a[j] = coefficients[c + j];
    b[j] = coefficients[channels + c + j];
    k[j] = coefficients[2 * channels + c + j];
  }
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) {
    long long at = r * channels + c;
    float v[V], g[V], out[V];
    load<V>(x + at, v);
    load<V>(dy + at, g);
    if (y) {
      load<V>(y + at, out);
      for (int j = 0; j < V; j++) g[j] = out[j] > 0 ? g[j] : 0;
    }
    for (int j = 0; j < V; j++) {
      float distance = v[j] - m[j];
      if (beta && !(fmaf(distance, a[j], shift[j]) > 0)) g[j] = 0;
      v[j] = (g[j] + fmaf(distance, b[j], k[j])) * a[j];
    }
    store<V>(dx + at, v);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) bn_backward(GRADIENT_PARAMETERS) {
  gradient<1>(GRADIENT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) bn_backward4(GRADIENT_PARAMETERS) {
  gradient<4>(GRADIENT_ARGUMENTS);
}
