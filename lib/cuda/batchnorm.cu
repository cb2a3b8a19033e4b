// Batch normalization of R rows of C channels, with the shortcut's addition and the ReLU that
// follow it in a ResNet. CPU twin: slimvox.backend.cpu.kernels.BatchNorm.
//
//   statistics  mean, inverse = 1 / sqrt(variance + epsilon)         reads x once
//   forward     y = act(gamma inverse (x - mean) + beta + residual)  reads x, residual; writes y
//   backward    g = dy where y > 0
//               dbeta = sum g, dgamma = inverse sum g (x - mean)     reads x, y, dy
//               dx = gamma inverse (g - dbeta / R - inverse (x - mean) dgamma / R)
//                                                                    reads the same; writes dx
//
// Sums over rows have two stages: a block sums a stretch of rows (a chunk) of up to 32 channels,
// each thread some rows and then a tree over the threads; a second launch adds the chunks in
// order, in float64. The chunks depend on R only, so that the same tensor gives the same bits on
// every card. Launch: threads along x take channels, along y rows, 256 in all.
#include "common.cuh"

#define THREADS 256

// Sums of both values over the threads of each column, in a tree: in sums[.][thread] of those
// with threadIdx.y 0.
__device__ inline void addOverRows(float (&sums)[2][THREADS], float a, float b) {
  int lane = threadIdx.y * blockDim.x + threadIdx.x;
  sums[0][lane] = a;
  sums[1][lane] = b;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half) {
      sums[0][lane] += sums[0][lane + half * blockDim.x];
      sums[1][lane] += sums[1][lane + half * blockDim.x];
    }
    __syncthreads();
  }
}

// ---- statistics

// partial[chunk][0][c] = mean - shift, partial[chunk][1][c] = sum of squared distances from the
// mean. The values are taken relative to the chunk's first one, shift, so that a mean far from 0
// does not spoil the squares.
extern "C" __global__ void __launch_bounds__(THREADS) bn_moments(
    const float* x, long long rows, int channels, int rowsPerChunk, float* partial) {
  __shared__ float sums[2][THREADS];
  int c = column();
  int lane = threadIdx.y * blockDim.x + threadIdx.x;
  long long begin = (long long)blockIdx.x * rowsPerChunk;
  long long end = endRow(rowsPerChunk, rows);
  float sum = 0;
  float squares = 0;
  if (c < channels) {
    float shift = x[begin * channels + c];
#pragma unroll 4
    for (long long r = begin + threadIdx.y; r < end; r += blockDim.y) {
      float d = x[r * channels + c] - shift;
      sum += d;
      squares = fmaf(d, d, squares);
    }
  }
  addOverRows(sums, sum, squares);
  if (threadIdx.y == 0 && c < channels) {
    float mean = sums[0][lane] / (float)(end - begin);
    float* to = partial + 2LL * blockIdx.x * channels + c;
    to[0] = mean;
    float squared = sums[1][lane] - sums[0][lane] * mean;
    to[channels] = squared < 0 ? 0 : squared;  // a NaN stays one
  }
}

// Count, mean and sum of squared distances from the mean of some values.
struct Moments {
  double count, mean, squares;
};

// Those of both (Chan, Golub and LeVeque 1979).
__device__ inline Moments together(Moments a, Moments b) {
  double count = a.count + b.count;
  if (count == 0) return a;
  double share = b.count / count;
  double delta = b.mean - a.mean;
  Moments m = {
      count, a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share};
  return m;
}

// Blocks of 32 channels x 8: eight threads share a channel's chunks. x is read for the shifts.
extern "C" __global__ void __launch_bounds__(THREADS) bn_statistics(
    const float* x,
    const float* partial,
    long long rows,
    int channels,
    int rowsPerChunk,
    int chunks,
    float epsilon,
    float* mean,
    float* inverseDeviation) {
  __shared__ Moments all[8][32];
  int c = blockIdx.x * 32 + threadIdx.x;
  Moments m = {0, 0, 0};
  if (c < channels) {
    for (int chunk = threadIdx.y; chunk < chunks; chunk += 8) {
      long long first = (long long)chunk * rowsPerChunk;
      long long left = rows - first;
      const float* from = partial + 2LL * chunk * channels + c;
      Moments next = {
          (double)(left < rowsPerChunk ? left : rowsPerChunk),
          (double)x[first * channels + c] + from[0], from[channels]};
      m = together(m, next);
    }
  }
  all[threadIdx.y][threadIdx.x] = m;
  __syncthreads();
  for (int half = 4; half > 0; half /= 2) {
    if (threadIdx.y < half) {
      all[threadIdx.y][threadIdx.x] =
          together(all[threadIdx.y][threadIdx.x], all[threadIdx.y + half][threadIdx.x]);
    }
    __syncthreads();
  }
  if (threadIdx.y == 0 && c < channels) {
    m = all[0][threadIdx.x];
    mean[c] = (float)m.mean;
    inverseDeviation[c] = (float)(1 / sqrt(m.squares / rows + epsilon));
  }
}

// running = (1 - momentum) running + momentum batch, with the unbiased variance; one row has none.
extern "C" __global__ void bn_update_running(
    const float* mean,
    const float* inverseDeviation,
    float epsilon,
    long long rows,
    float momentum,
    float* runningMean,
    float* runningVariance,
    int channels) {
  int c = (int)element();
  if (c >= channels) return;
  double inverse = inverseDeviation[c];
  double variance = 1 / (inverse * inverse) - epsilon;
  if (variance < 0) variance = 0;
  double unbiased = rows > 1 ? variance * rows / (rows - 1) : variance;
  double keep = 1 - (double)momentum;
  runningMean[c] = (float)(keep * runningMean[c] + (double)momentum * mean[c]);
  runningVariance[c] = (float)(keep * runningVariance[c] + momentum * unbiased);
}

extern "C" __global__ void bn_inverse_deviation(
    const float* variance, float epsilon, float* inverseDeviation, int channels) {
  int c = (int)element();
  if (c < channels) inverseDeviation[c] = (float)(1 / sqrt((double)variance[c] + epsilon));
}

// ---- forward

// y may be x; residual may be null. A NaN stays one.
template <int V>
__device__ inline void normalize(
    const float* x,
    const float* mean,
    const float* inverseDeviation,
    const float* gamma,
    const float* beta,
    const float* residual,
    int relu,
    float* y,
    long long rows,
    int channels,
    int rowsPerBlock) {
  int c = V * column();
  if (c >= channels) return;
  float m[V], scale[V], shift[V];
  for (int j = 0; j < V; j++) {  // one by one: a slice of channels may begin anywhere
    m[j] = mean[c + j];
    scale[j] = gamma[c + j] * inverseDeviation[c + j];
    shift[j] = beta[c + j];
  }
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) {
    long long at = r * channels + c;
    float v[V], add[V];
    load<V>(x + at, v);
    for (int j = 0; j < V; j++) v[j] = fmaf(v[j] - m[j], scale[j], shift[j]);
    if (residual) {
      load<V>(residual + at, add);
      for (int j = 0; j < V; j++) v[j] += add[j];
    }
    for (int j = 0; j < V; j++) v[j] = relu && v[j] < 0 ? 0 : v[j];
    store<V>(y + at, v);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) bn_normalize(
    const float* x,
    const float* mean,
    const float* inverseDeviation,
    const float* gamma,
    const float* beta,
    const float* residual,
    int relu,
    float* y,
    long long rows,
    int channels,
    int rowsPerBlock) {
  normalize<1>(
      x, mean, inverseDeviation, gamma, beta, residual, relu, y, rows, channels, rowsPerBlock);
}

extern "C" __global__ void __launch_bounds__(THREADS) bn_normalize4(
    const float* x,
    const float* mean,
    const float* inverseDeviation,
    const float* gamma,
    const float* beta,
    const float* residual,
    int relu,
    float* y,
    long long rows,
    int channels,
    int rowsPerBlock) {
  normalize<4>(
      x, mean, inverseDeviation, gamma, beta, residual, relu, y, rows, channels, rowsPerBlock);
}

// ---- backward

// partial[chunk][0][c] = sum g, partial[chunk][1][c] = sum g (x - mean). g is masked by y, or if y
// is null and beta is not, by y computed again with the rounding of normalize(); if both are null
// there was no ReLU. g is written to dresidual if that is not null, which may be dy.
extern "C" __global__ void __launch_bounds__(THREADS) bn_backward_sums(
    const float* x,
    const float* y,
    const float* dy,
    const float* mean,
    const float* inverseDeviation,
    const float* gamma,
    const float* beta,
    float* dresidual,
    long long rows,
    int channels,
    int rowsPerChunk,
    float* partial) {
  __shared__ float sums[2][THREADS];
  int c = column();
  int lane = threadIdx.y * blockDim.x + threadIdx.x;
  float sum = 0;
  float product = 0;
  if (c < channels) {
    float m = mean[c];
    float scale = gamma[c] * inverseDeviation[c];
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
      sum += g;
      product = fmaf(g, distance, product);
    }
  }
  addOverRows(sums, sum, product);
  if (threadIdx.y == 0 && c < channels) {
    float* to = partial + 2LL * blockIdx.x * channels + c;
    to[0] = sums[0][lane];
    to[channels] = sums[1][lane];
  }
}

// dgamma and dbeta from the chunks, and for the last pass, dx = a (g + b (x - mean) + k):
// coefficients = a, b, k of each channel, 3 x C. Blocks of 32 channels x 8.
extern "C" __global__ void __launch_bounds__(THREADS) bn_backward_coefficients(
    const float* partial,
    int chunks,
    long long rows,
    int channels,
    const float* inverseDeviation,
    const float* gamma,
    int accumulate,
    float* dgamma,
    float* dbeta,
    float* coefficients) {
  __shared__ double sums[2][8][32];
  int c = blockIdx.x * 32 + threadIdx.x;
  double g = 0;
  double gx = 0;
  if (c < channels) {
    for (int chunk = threadIdx.y; chunk < chunks; chunk += 8) {
      const float* from = partial + 2LL * chunk * channels + c;
      g += from[0];
      gx += from[channels];
    }
  }
  sums[0][threadIdx.y][threadIdx.x] = g;
  sums[1][threadIdx.y][threadIdx.x] = gx;
  __syncthreads();
  for (int half = 4; half > 0; half /= 2) {
    if (threadIdx.y < half) {
      sums[0][threadIdx.y][threadIdx.x] += sums[0][threadIdx.y + half][threadIdx.x];
      sums[1][threadIdx.y][threadIdx.x] += sums[1][threadIdx.y + half][threadIdx.x];
    }
    __syncthreads();
  }
  if (threadIdx.y == 0 && c < channels) {
    double inverse = inverseDeviation[c];
    g = sums[0][0][threadIdx.x];
    gx = sums[1][0][threadIdx.x] * inverse;
    dbeta[c] = (float)((accumulate ? dbeta[c] : 0) + g);
    dgamma[c] = (float)((accumulate ? dgamma[c] : 0) + gx);
    coefficients[c] = (float)(gamma[c] * inverse);
    coefficients[channels + c] = (float)(-inverse * gx / rows);
    coefficients[2 * channels + c] = (float)(-g / rows);
  }
}

// dx may be dy. Where y and beta are null, dy is taken as it is: no ReLU, or g was written before.
// a is gamma inverse, rounded as in normalize(), so that y is computed again to the bit.
template <int V>
__device__ inline void gradient(
    const float* x,
    const float* y,
    const float* dy,
    const float* mean,
    const float* beta,
    const float* coefficients,
    float* dx,
    long long rows,
    int channels,
    int rowsPerBlock) {
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

extern "C" __global__ void __launch_bounds__(THREADS) bn_backward(
    const float* x,
    const float* y,
    const float* dy,
    const float* mean,
    const float* beta,
    const float* coefficients,
    float* dx,
    long long rows,
    int channels,
    int rowsPerBlock) {
  gradient<1>(x, y, dy, mean, beta, coefficients, dx, rows, channels, rowsPerBlock);
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) bn_backward4(
    const float* x,
    const float* y,
    const float* dy,
    const float* mean,
    const float* beta,
    const float* coefficients,
    float* dx,
    long long rows,
    int channels,
    int rowsPerBlock) {
  gradient<4>(x, y, dy, mean, beta, coefficients, dx, rows, channels, rowsPerBlock);
}
