// Convolutions, forward and backward to the data, as one implicit matrix product: no im2col
// buffer. CPU twin: oneDNN; definition: tests' PlainConvolution.
//
//   forward        y[n, h, w] = sum over taps of W[., ., kh, kw] x[n, h s - p + kh, w s - p + kw]
//   backward data  dx[n, h, w] = sum over taps of W[., ., kh, kw]^T dy[n, (h + p - kh) / s, ...],
//                  of those kh, kw for which the quotient is whole
//   with add the result is added to what is there
//
// Rows of the product are pixels of the result, columns its channels, the summed axis runs over
// taps and the source's channels. Both passes are the same gather: with result pixel (h, w) =
// (i STEP + r, j STEP + q), tap number t along the height reads the source's row
// i SCALE + OFFSET + t SIGN and the weight's row kh = KFIRST + t KSTEP. Forward: STEP 1, SCALE s,
// OFFSET -p, SIGN 1, all kh. Backward with stride s: s x s launches, one for each class (r, q) of
// result pixels modulo s, SCALE 1, SIGN -1, KSTEP s: no tap is multiplied in vain.
//
// Weights are first reordered (reorder_weight) to taps x source channels x result channels, so that
// a slab of them is read in whole rows. Tiles of 128 pixels x BN channels, slabs of 8 channels of
// one tap, see tile.cuh; a tap outside the picture is a slab of zeros. Launch: blocks (pixels /
// 128, channels / BN).
#include "common.cuh"
#include "tensor.cuh"
#include "tile.cuh"

// to[t][i][o] = weight[o][i][t], or to[t][o][i] if backward.
extern "C" __global__ void reorder_weight(
    const float* weight, float* to, int out, int in, int taps, int backward) {
  long long i = element();
  if (i >= (long long)out * in * taps) return;
  int columns = backward ? in : out;
  int rows = backward ? out : in;
  int column = (int)(i % columns);
  int row = (int)(i / columns % rows);
  int tap = (int)(i / columns / rows);
  int o = backward ? row : column;
  int c = backward ? column : row;
  to[i] = weight[((long long)o * in + c) * taps + tap];
}

// One axis of the gather.
struct Axis {
  int source;  // length of the source
  int scale, offset, sign;
  int taps, kernelFirst, kernelStep;

  __device__ inline int at(int i, int t) const { return i * scale + offset + t * sign; }
  __device__ inline int kernel(int t) const { return kernelFirst + t * kernelStep; }
};

// The tap and the channels that a slab is of; pixels are fetched first, the weight then goes on.
struct Slab {
  int th, tw, c;

  __device__ inline void next(int channels, int tapsWide) {
    c += DEPTH;
    if (c < channels) return;
    c = 0;
    if (++tw < tapsWide) return;
    tw = 0;
    th++;
  }
};

#define OUTSIDE -0x40000000  // a row that no tap brings into a picture

template <class T>
struct PixelSource {
  static const int QUADS = T::A_QUADS;
  const float* x;
  Axis high, wide;
  int channels;
  const Slab& slab;
  // Of this thread's pixels: row, column and number of what tap (0, 0) reads.
  int h0[QUADS], w0[QUADS], pixel0[QUADS];
  float4 v[QUADS];

  __device__ inline void begin(long long first, long long pixels, int rows, int columns) {
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      long long pixel = first + (threadIdx.x + u * T::THREADS) / 2;
      int p = (int)(pixel < pixels ? pixel : 0);
      int h = high.at(p / columns % rows, 0);
      h0[u] = pixel < pixels ? h : OUTSIDE;
      w0[u] = wide.at(p % columns, 0);
      pixel0[u] = (p / (rows * columns) * high.source + h) * wide.source + w0[u];
    }
  }

  __device__ inline void fetch() {
    int c = slab.c + 4 * (threadIdx.x % 2);
    int down = high.sign * slab.th;
    int right = wide.sign * slab.tw;
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      v[u] = make_float4(0, 0, 0, 0);
      // as unsigned numbers, those below 0 are large
      if ((unsigned)(h0[u] + down) < (unsigned)high.source &&
          (unsigned)(w0[u] + right) < (unsigned)wide.source) {
        long long pixel = pixel0[u] + down * wide.source + right;
        v[u] = rowQuad(x + pixel * channels, c, channels);
      }
    }
  }

  __device__ inline void store(float (&to)[DEPTH][ROWS + T::PAD]) const {
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      int q = threadIdx.x + u * T::THREADS;
      storeAcross<T>(to, 4 * (q % 2), q / 2, v[u]);
    }
  }
};

template <class T>
struct WeightSource {
  const float* weight;  // taps x channels x columns
  int channels, columns, n0;
  Axis high, wide;
  int kernelWidth;
  Slab& slab;
  float4 v;

  __device__ inline void fetch() {
    int q = threadIdx.x;
    int c = slab.c + q / (T::COLUMNS / 4);
    v = make_float4(0, 0, 0, 0);
    if (q < T::B_QUADS && c < channels) {
      int tap = high.kernel(slab.th) * kernelWidth + wide.kernel(slab.tw);
      const float* row = weight + ((long long)tap * channels + c) * columns;
      v = rowQuad(row, n0 + 4 * (q % (T::COLUMNS / 4)), columns);
    }
    slab.next(channels, wide.taps);
  }

  __device__ inline void store(float (&to)[DEPTH][T::COLUMNS + T::PAD]) const {
    storeColumns<T>(to, v);
  }
};

// The result's pixels are images x rows x columns of one class; outHeight x outWidth of all.
#define GATHER_PARAMETERS                                                                          \
  const float *x, const float *weight, float *y, long long pixels, int rows, int columns,          \
      int outHeight, int outWidth, int step, int stepWide, int first, int firstWide, int channels, \
      int outChannels, int height, int width, int scale, int scaleWide, int offset,                \
      int offsetWide, int sign, int taps, int tapsWide, int kernelFirst, int kernelFirstWide,      \
      int kernelStep, int kernelStepWide, int kernelWidth, int add
#define GATHER_ARGUMENTS                                                                      \
  x, weight, y, pixels, rows, columns, outHeight, outWidth, step, stepWide, first, firstWide, \
      channels, outChannels, height, width, scale, scaleWide, offset, offsetWide, sign, taps, \
      tapsWide, kernelFirst, kernelFirstWide, kernelStep, kernelStepWide, kernelWidth, add

template <class T>
__device__ inline void gather(typename T::Shared& shared, GATHER_PARAMETERS) {
  Axis high = {height, scale, offset, sign, taps, kernelFirst, kernelStep};
  Axis wide = {width, scaleWide, offsetWide, sign, tapsWide, kernelFirstWide, kernelStepWide};
  long long pixel0 = (long long)blockIdx.x * ROWS;
  int n0 = blockIdx.y * T::COLUMNS;
  Slab slab = {0, 0, 0};
  PixelSource<T> left = {x, high, wide, channels, slab, {}, {}, {}, {}};
  left.begin(pixel0, pixels, rows, columns);
  WeightSource<T> right = {weight, channels, outChannels, n0, high, wide, kernelWidth, slab, {}};
  T tile = {};
  addSlabs(tile, left, right, taps * tapsWide * ((channels + DEPTH - 1) / DEPTH), shared);
#pragma unroll
  for (int u = 0; u < T::ROWS_OF_THREAD; u++) {
    long long pixel = pixel0 + T::row(u);
    if (pixel >= pixels) continue;
    if (step > 1 || stepWide > 1) {
      // pixelOf and Pixel.at would keep more registers than the tile leaves
      int p = (int)pixel;
      int n = p / (rows * columns);
      int h = p / columns % rows * step + first;
      int w = p % columns * stepWide + firstWide;
      pixel = ((long long)n * outHeight + h) * outWidth + w;
    }
    tile.putRow(y + pixel * outChannels, u, n0, outChannels, add != 0);
  }
}

extern "C" __global__ void __launch_bounds__(128, 4) convolve_32(GATHER_PARAMETERS) {
  __shared__ Tile<32>::Shared shared;
  gather<Tile<32>>(shared, GATHER_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) convolve_64(GATHER_PARAMETERS) {
  __shared__ Tile<64>::Shared shared;
  gather<Tile<64>>(shared, GATHER_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) convolve_128(GATHER_PARAMETERS) {
  __shared__ Tile<128>::Shared shared;
  gather<Tile<128>>(shared, GATHER_ARGUMENTS);
}

// ---- the same with factors rounded to TF32

extern "C" __global__ void __launch_bounds__(128, 4) convolve_tf32_32(GATHER_PARAMETERS) {
  __shared__ TensorTile<32>::Shared shared;
  gather<TensorTile<32>>(shared, GATHER_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) convolve_tf32_64(GATHER_PARAMETERS) {
  __shared__ TensorTile<64>::Shared shared;
  gather<TensorTile<64>>(shared, GATHER_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) convolve_tf32_128(GATHER_PARAMETERS) {
  __shared__ TensorTile<128>::Shared shared;
  gather<TensorTile<128>>(shared, GATHER_ARGUMENTS);
}
