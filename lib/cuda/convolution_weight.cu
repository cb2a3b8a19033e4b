// The weight gradient of a convolution as an implicit matrix product.
//
//   dweight[o][c][kh][kw] = sum over pixels (n, oh, ow) of
//                           x[n, oh s - p + kh, ow s - p + kw, c] dy[n, oh, ow, o]
//
// Rows of the product are pairs (tap, input channel), columns output channels, and the summed axis
// are the output's pixels: both operands then lie with their rows along memory. Tiles of 128 x BN,
// slabs of 8 pixels, see tile.cuh. The pixels, millions of them, are cut into splits that write
// partial[split][tap][c][o]; sum_weight_splits adds them in order and restores O, I, kH, kW.
// Launch: blocks (rows / 128, O / BN, splits).
#include "common.cuh"
#include "tensor.cuh"
#include "tile.cuh"

// A pixel whose number along the batch grows by DEPTH each slab.
struct Walk : Pixel {
  __device__ inline void next(int height, int width) {
    w += DEPTH;
    while (w >= width) {
      w -= width;
      if (++h == height) {
        h = 0;
        n++;
      }
    }
  }
};

// Column quads of (tap, channel): with VECTOR, C is a multiple of four, so a quad is of one tap.
template <class T, bool VECTOR>
struct ShiftedPixels {
  static const int QUADS = T::A_QUADS;
  const float* x;
  long long pixel, end;  // the slab's first; the split's end
  int height, width, channels, outHeight, outWidth, stride, strideWide, pad, padWide, kernelWidth;
  int column0, columns;
  Walk walk[QUADS];
  float4 v[QUADS];
  int tapRow, tapColumn, channel;  // of this thread's quad, the same in every slab

  __device__ inline void begin() {
    int column = column0 + 4 * (threadIdx.x % (ROWS / 4));
    channel = column % channels;
    tapRow = column / channels / kernelWidth - pad;
    tapColumn = column / channels % kernelWidth - padWide;
#pragma unroll
    for (int u = 0; u < QUADS; u++) walk[u] = {pixelOf((int)pixel + line(u), outHeight, outWidth)};
  }

  static __device__ inline int line(int u) {
    return (threadIdx.x + u * T::THREADS) / (ROWS / 4);
  }

  __device__ inline bool inside(int h, int w) const {
    return (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width;
  }

  __device__ inline float one(const Walk& p, int column) const {
    int tap = column / channels;
    int h = p.h * stride - pad + tap / kernelWidth;
    int w = p.w * strideWide - padWide + tap % kernelWidth;
    if (column >= columns || !inside(h, w)) return 0;
    return x[p.at(h, w, height, width) * channels + column % channels];
  }

  __device__ inline void fetch() {
    int column = column0 + 4 * (threadIdx.x % (ROWS / 4));
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      v[u] = make_float4(0, 0, 0, 0);
      if (pixel + line(u) < end && column < columns) {
        if (VECTOR) {
          int h = walk[u].h * stride + tapRow;
          int w = walk[u].w * strideWide + tapColumn;
          const float* from = x + walk[u].at(h, w, height, width) * channels + channel;
          if (inside(h, w)) v[u] = *reinterpret_cast<const float4*>(from);
        } else {
          v[u] = make_float4(
              one(walk[u], column), one(walk[u], column + 1), one(walk[u], column + 2),
              one(walk[u], column + 3));
        }
      }
      walk[u].next(outHeight, outWidth);
    }
    pixel += DEPTH;
  }

  __device__ inline void store(float (&to)[DEPTH][ROWS + T::PAD]) const {
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      storeAlong<T>(to, line(u), 4 * (threadIdx.x % (ROWS / 4)), v[u]);
    }
  }
};

template <class T>
struct GradientPixels {
  const float* dy;
  long long pixel, end;
  int channels, n0;
  float4 v;

  __device__ inline void fetch() {
    int q = threadIdx.x;
    long long p = pixel + q / (T::COLUMNS / 4);
    v = make_float4(0, 0, 0, 0);
    if (q < T::B_QUADS && p < end) {
      v = rowQuad(dy + p * channels, n0 + 4 * (q % (T::COLUMNS / 4)), channels);
    }
    pixel += DEPTH;
  }

  __device__ inline void store(float (&to)[DEPTH][T::COLUMNS + T::PAD]) const {
    storeColumns<T>(to, v);
  }
};

#define WEIGHT_PARAMETERS                                                                \
  const float *x, const float *dy, float *partial, long long pixels, int pixelsPerSplit, \
      int height, int width, int channels, int outHeight, int outWidth, int outChannels, \
      int stride, int strideWide, int pad, int padWide, int kernelWidth, int taps
#define WEIGHT_ARGUMENTS                                                                \
  x, dy, partial, pixels, pixelsPerSplit, height, width, channels, outHeight, outWidth, \
      outChannels, stride, strideWide, pad, padWide, kernelWidth, taps

template <class T, bool VECTOR>
__device__ inline void weightGradient(typename T::Shared& shared, WEIGHT_PARAMETERS) {
  long long from = (long long)blockIdx.z * pixelsPerSplit;
  long long end = from + pixelsPerSplit < pixels ? from + pixelsPerSplit : pixels;
  int column0 = blockIdx.x * ROWS;
  int columns = taps * channels;
  int n0 = blockIdx.y * T::COLUMNS;
  ShiftedPixels<T, VECTOR> left = {
      x, from, end, height, width, channels, outHeight, outWidth, stride, strideWide, pad, padWide,
      kernelWidth, column0, columns, {}, {}, 0, 0, 0};
  left.begin();
  GradientPixels<T> right = {dy, from, end, outChannels, n0, {}};
  T tile = {};
  addSlabs(tile, left, right, (int)((end - from + DEPTH - 1) / DEPTH), shared);
  float* to = partial + (long long)blockIdx.z * columns * outChannels;
#pragma unroll
  for (int i = 0; i < T::ROWS_OF_THREAD; i++) {
    int column = column0 + T::row(i);
    if (column < columns) {
      tile.putRow(to + (long long)column * outChannels, i, n0, outChannels, false);
    }
  }
}

extern "C" __global__ void __launch_bounds__(128, 4) weight_gradient_32(WEIGHT_PARAMETERS) {
  __shared__ Tile<32>::Shared shared;
  weightGradient<Tile<32>, true>(shared, WEIGHT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) weight_gradient_64(WEIGHT_PARAMETERS) {
  __shared__ Tile<64>::Shared shared;
  weightGradient<Tile<64>, true>(shared, WEIGHT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) weight_gradient_128(WEIGHT_PARAMETERS) {
  __shared__ Tile<128>::Shared shared;
  weightGradient<Tile<128>, true>(shared, WEIGHT_ARGUMENTS);
}

// The same with factors rounded to TF32.
extern "C" __global__ void __launch_bounds__(128, 4) weight_gradient_tf32_32(WEIGHT_PARAMETERS) {
  __shared__ TensorTile<32>::Shared shared;
  weightGradient<TensorTile<32>, true>(shared, WEIGHT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) weight_gradient_tf32_64(WEIGHT_PARAMETERS) {
  __shared__ TensorTile<64>::Shared shared;
  weightGradient<TensorTile<64>, true>(shared, WEIGHT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) weight_gradient_tf32_128(WEIGHT_PARAMETERS) {
  __shared__ TensorTile<128>::Shared shared;
  weightGradient<TensorTile<128>, true>(shared, WEIGHT_ARGUMENTS);
}

// For input channels that are no multiple of four.
extern "C" __global__ void __launch_bounds__(128, 4) weight_gradient_odd(WEIGHT_PARAMETERS) {
  __shared__ Tile<32>::Shared shared;
  weightGradient<Tile<32>, false>(shared, WEIGHT_ARGUMENTS);
}

// dweight[o][c][t] (+)= sum over splits of partial[split][t][c][o]. Threads along x take elements,
// along y splits, 256 in all: the chain of additions is splits / blockDim.y long.
extern "C" __global__ void __launch_bounds__(256) sum_weight_splits(
    const float* partial, float* dweight, int out, int channels, int taps, int splits,
    int accumulate) {
  __shared__ float scratch[256];
  long long i = element();
  long long count = (long long)out * channels * taps;
  float sum = 0;
  if (i < count) {
    for (int s = threadIdx.y; s < splits; s += blockDim.y) sum += partial[s * count + i];
  }
  sum = sumOverRows(scratch, sum);
  if (i >= count || threadIdx.y > 0) return;
  int o = (int)(i % out);
  int c = (int)(i / out % channels);
  int t = (int)(i / out / channels);
  long long to = ((long long)o * channels + c) * taps + t;
  dweight[to] = (accumulate ? dweight[to] : 0) + sum;
}
